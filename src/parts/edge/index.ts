import type { Change, Context, Part } from '../../core/contract.ts';
import { GatewayError } from '../../core/errors.ts';
import { compile, type Spec } from './compile.ts';
import { observe } from './observe.ts';

/** Owner of HAProxy, which carries connections on to services that are not behind the hub. */
export const edgePart: Part<Spec> = {
  id: 'edge',
  kinds: ['edge'],
  compile,
  observe,
  apply,
  describe,
  // Holds nothing open: HAProxy outlives us.
  close: async () => {},
};

/** Both halves do nothing when there is nothing to do, so a pass that was cut in between carries on here. */
async function apply(change: Change<Spec>, { network, ports, signal }: Context): Promise<void> {
  if (change.op === 'delete') {
    await ports.helper.call('edge.stop', {}, signal);
    return;
  }
  const { devices, routes } = change.want.spec;
  await ports.helper.call('edge.write', { network, edge: { devices, routes: [...routes] } }, signal);
  const { left } = await ports.helper.call('edge.load', {}, signal);
  const [first] = left;
  if (first === undefined) return;
  throw new GatewayError(
    `devices cannot reach ${left.map(({ service }) => service).join(', ')}: ${first.reason}`,
    {
      code: 'PortInUse',
      hint: `a program that listens on 0.0.0.0 can be told to listen on the addresses that it needs; the other services work meanwhile, and ${first.service} is tried again`,
    },
  );
}

function describe(change: Change<Spec>): string {
  if (change.op === 'delete') return 'stop HAProxy: no device needs a service of another machine';
  const routes = change.want.spec.routes.map(
    ({ service, address, port, to }) => `${service} (${address}:${port} to ${to.host}:${to.port})`,
  );
  return `have HAProxy carry connections of devices on to ${routes.join(', ')}`;
}
