import type { Change, Context, ResourceKey } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { OperationArguments } from '../../src/core/operations.ts';
import { SPEC_DIFFERS } from '../../src/core/plan.ts';
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
  if (spec.type === 'interface') return ensureInterface(spec, context);
  const peer = await withPresharedKey(spec, change.want.label ?? spec.address, context);
  return setPeers([{ peer, name: spec.interface }], context);
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

/** As few calls as a line to the helper can carry: after a power cut every device comes at once. */
const PEERS_A_CALL = 10_000;

export async function applyAll(
  changes: readonly Change<Spec>[],
  context: Context,
): Promise<ReadonlyMap<ResourceKey, GatewayError>> {
  const failed = new Map<ResourceKey, GatewayError>();
  const peers: { readonly key: ResourceKey; readonly peer: NewPeer; readonly name: string }[] = [];
  for (const change of changes) {
    const { key } = change.op === 'delete' ? change.have : change.want;
    const failure = await failureOf(async () => {
      if (change.op === 'delete' || change.want.spec.type !== 'peer') return apply(change, context);
      const { spec, label = spec.address } = change.want;
      peers.push({ key, peer: await withPresharedKey(spec, label, context), name: spec.interface });
    });
    if (failure !== undefined) failed.set(key, failure);
  }
  for (let from = 0; from < peers.length; from += PEERS_A_CALL) {
    const some = peers.slice(from, from + PEERS_A_CALL);
    const failure = await failureOf(() => setPeers(some, context));
    if (failure !== undefined) for (const { key } of some) failed.set(key, failure);
  }
  return failed;
}

async function setPeers(
  peers: readonly { readonly peer: NewPeer; readonly name: string }[],
  { network, ports, signal }: Context,
): Promise<void> {
  for (const [name, group] of Map.groupBy(peers, (each) => each.name)) {
    const input = { network, name, peers: group.map(({ peer }) => peer) };
    await ports.helper.call('wireguard.setPeers', input, signal);
  }
}

async function failureOf(attempt: () => Promise<void>): Promise<GatewayError | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    return error;
  }
}

type NewPeer = OperationArguments<'wireguard.setPeers'>['peers'][number];

async function withPresharedKey(spec: PeerSpec, device: string, { ports }: Context): Promise<NewPeer> {
  const { publicKey, address } = spec;
  const secret = await ports.keys.read(presharedKeyName(publicKey), 'preshared');
  if (secret === undefined) {
    throw new GatewayError(`the preshared key of device ${device} is not on disk`, {
      code: 'KeyMissing',
      retry: 'when-changed',
      hint: `restore keys/ from a backup, or give the device new keys: gateway device renew ${device}`,
    });
  }
  return { publicKey, address, presharedKey: encodeKey(secret.reveal()) };
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
  return change.op === 'update' && change.why !== SPEC_DIFFERS ? `: ${change.why}` : '';
}
