import type { Change, Context } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { encodeKey } from '../../src/wire/wireguard.ts';
import { INTERFACE_KEY, presharedKeyName, type InterfaceSpec, type PeerSpec, type Spec } from './spec.ts';

export async function apply(change: Change<Spec>, context: Context): Promise<void> {
  const { network, ports, signal } = context;
  if (change.op === 'delete') {
    const { spec } = change.have;
    if (spec.type === 'interface') {
      await ports.helper.call('wireguard.remove', { network, name: spec.name }, signal);
    } else {
      const { interface: name, publicKey } = spec;
      await ports.helper.call('wireguard.removePeer', { network, name, publicKey }, signal);
    }
    return;
  }
  const { spec } = change.want;
  if (spec.type === 'interface') await ensureInterface(spec, context);
  else await setPeer(spec, change.want.label ?? spec.address, context);
}

async function ensureInterface(spec: InterfaceSpec, { network, ports, signal }: Context): Promise<void> {
  const { name, listenPort, address, endpoint } = spec;
  const secret = await ports.keys.ensure(INTERFACE_KEY, 'curve25519');
  const privateKey = encodeKey(secret.reveal());
  await ports.helper.call(
    'wireguard.ensure',
    { network, name, listenPort, privateKey, address, endpoint },
    signal,
  );
}

async function setPeer(spec: PeerSpec, device: string, { network, ports, signal }: Context): Promise<void> {
  const { interface: name, publicKey, address } = spec;
  const secret = await ports.keys.read(presharedKeyName(publicKey), 'preshared');
  if (secret === undefined) {
    throw new GatewayError(`the preshared key of device ${device} is not on disk`, {
      code: 'KeyMissing',
      retry: 'when-changed',
      hint: `restore keys/ from a backup, or give the device new keys: gateway device renew ${device}`,
    });
  }
  const presharedKey = encodeKey(secret.reveal());
  const peer = { publicKey, address };
  await ports.helper.call('wireguard.setPeer', { network, name, peer, presharedKey }, signal);
}

export function describe(change: Change<Spec>): string {
  const spec = change.op === 'delete' ? change.have.spec : change.want.spec;
  if (spec.type === 'interface') {
    const verb = {
      create: 'open WireGuard on',
      update: 'set up WireGuard again on',
      delete: 'close WireGuard on',
    };
    return `${verb[change.op]} UDP port ${spec.listenPort} (${spec.name})${reason(change)}`;
  }
  if (change.op === 'delete') return `cut the device at ${spec.address} off from WireGuard`;
  const device = change.want.label ?? 'a device';
  const verb = change.op === 'create' ? `let ${device} in` : `set up ${device} again`;
  return `${verb} through WireGuard, as ${spec.address}${reason(change)}`;
}

function reason(change: Change<Spec>): string {
  return change.op === 'update' ? `: ${change.why}` : '';
}
