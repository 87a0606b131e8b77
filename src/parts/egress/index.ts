import type { Change, Context, Observed, Part } from '../../core/contract.ts';
import { heldNotice } from './held.ts';
import { compile, EGRESS_KEY, type Spec } from './compile.ts';

/** Owner of the ways on which services leave by themselves: through tor, or directly. */
export const egressPart: Part<Spec> = {
  id: 'egress',
  kinds: ['egress'],
  compile,
  observe,
  apply,
  describe,
  // Holds nothing open: the kernel and tor carry what leaves.
  close: async () => {},
};

async function observe({ network, ports, signal }: Context): Promise<Observed<Spec>[]> {
  const { egress } = await ports.helper.call('observe', { network }, signal);
  if (egress === undefined) return [];
  const { services, renew, held } = egress;
  const facts = held === undefined ? {} : { notice: heldNotice(network, { services }, held) };
  return [{ key: EGRESS_KEY, spec: { services }, facts, ...(renew === undefined ? {} : { renew }) }];
}

async function apply(change: Change<Spec>, { network, ports, signal }: Context): Promise<void> {
  if (change.op === 'delete') {
    await ports.helper.call('egress.remove', { network }, signal);
    return;
  }
  const { services } = change.want.spec;
  await ports.helper.call('egress.ensure', { network, egress: { services: [...services] } }, signal);
}

function describe(change: Change<Spec>): string {
  if (change.op === 'delete') return 'let no service out by itself any more';
  const ways = { tor: 'through tor', 'tor-only': 'through the tor of tor-only services', direct: 'directly' };
  const said = change.want.spec.services.map(({ service, by }) => `${service} ${ways[by]}`);
  return said.length > 5 ? `let ${said.length} services out by themselves` : `let out ${said.join(', ')}`;
}
