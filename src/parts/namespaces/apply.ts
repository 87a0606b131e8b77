import type { Change, Context } from '../../core/contract.ts';
import type { Spec } from './spec.ts';

export async function apply(change: Change<Spec>, context: Context): Promise<void> {
  if (change.op === 'delete') await remove(change.have.key, change.have.spec, context);
  else await ensure(change.want.key, change.want.spec, context);
}

async function ensure(key: string, spec: Spec, { network, ports, signal }: Context): Promise<void> {
  const { helper } = ports;
  const service = nameIn(key);
  switch (spec.type) {
    case 'hub':
      await helper.call('hub.ensure', { network }, signal);
      return;
    case 'namespace': {
      const { type: _type, ...asked } = spec;
      await helper.call('namespace.ensure', { network, service, spec: asked }, signal);
      return;
    }
    case 'entered': {
      const { by, value, address } = spec;
      await helper.call('entered.ensure', { network, service, spec: { by, value, address } }, signal);
      return;
    }
    case 'hostService': {
      const { address } = spec;
      await helper.call('hostService.ensure', { network, service, spec: { address } }, signal);
      return;
    }
    case 'flows':
      await helper.call('flows.replace', { network, flows: [...spec.flows] }, signal);
  }
}

async function remove(key: string, spec: Spec, { network, ports, signal }: Context): Promise<void> {
  const { helper } = ports;
  const service = nameIn(key);
  switch (spec.type) {
    case 'hub':
      await helper.call('hub.remove', { network }, signal);
      return;
    case 'namespace':
      await helper.call('namespace.remove', { network, service }, signal);
      return;
    case 'entered':
      await helper.call('entered.remove', { network, service }, signal);
      return;
    case 'hostService':
      await helper.call('hostService.remove', { network, service }, signal);
      return;
    case 'flows':
      await helper.call('flows.replace', { network, flows: [] }, signal);
  }
}

export function nameIn(key: string): string {
  return key.slice(key.indexOf(':') + 1);
}
