import type { Change, Context, Fact, Observed } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { parseEndpoint } from '../../src/core/inet.ts';
import type { Flow, Peer, WireguardInterface } from '../../src/core/operations.ts';
import type { KeyType } from '../../src/core/ports.ts';
import { twinOf } from '../../src/core/ula.ts';
import { encodeKey, toHex } from '../../src/wire/wireguard.ts';
import { dialOf, type Dial, LEARNED } from './endpoint.ts';
import { chooseWay, relayedBy, type Relayed, type Told, verdictOn } from './relayed.ts';
import {
  INTERFACE_KEY,
  interfaceName,
  presharedKeyName,
  type InterfaceSpec,
  type PeerSpec,
  type Spec,
} from './spec.ts';

/** Interfaces and peers as they run, compared with the keys on disk. */
export async function observe(context: Context): Promise<Observed<Spec>[]> {
  const { network, ports, signal } = context;
  const { wireguard, hub } = await ports.helper.call('observe', { network }, signal);
  const own = wireguard.find((found) => found.name === interfaceName(network));
  const grants = grantsBySource(interfaceName(network), hub?.flows ?? []);
  const relayed = relayedBy(await ports.carrier.kept());
  const peers = (own?.peers ?? []).map(async (peer) =>
    fromRelay(
      await observePeer(peer, interfaceName(network), grants.get(peer.address) ?? [], context),
      relayed,
      network.hub,
    ),
  );
  const interfaces = wireguard.map((found) => observeInterface(found, relayed, context));
  return Promise.all([...interfaces, ...peers]);
}

async function observeInterface(
  found: WireguardInterface,
  relayed: Relayed | undefined,
  context: Context,
): Promise<Observed<InterfaceSpec>> {
  const { name, listenPort, address, endpoint, publicKey, implementation } = found;
  const { crypto } = context.ports;
  const renew =
    name === interfaceName(context.network)
      ? await compareKey(INTERFACE_KEY, 'curve25519', context, (secret) =>
          judgeKey(publicKey, encodeKey(crypto.curve25519Public(secret))),
        )
      : undefined;
  const own = await dialOf(found, context.ports);
  const told = chooseWay(own, {
    isConfigured: endpoint !== LEARNED,
    relayed,
    verdict: verdictOn(context.ports.home, own.endpoint),
  });
  return {
    key: `interface:${name}`,
    spec: { type: 'interface', name, listenPort, address, endpoint },
    facts: {
      publicKey,
      implementation,
      ...factsOf(told, own),
    },
    ...(renew === undefined ? {} : { renew }),
  };
}

function factsOf(told: Told, own: Dial): Record<string, Fact> {
  return { ...factsOfDial(told), ...factsOfRelay(told, own) };
}

function factsOfRelay({ relayed }: Told, own: Dial): Record<string, Fact> {
  if (relayed === undefined) return {};
  const { relay, mtu } = relayed;
  return { dialRelay: relay, dialMtu: mtu, ...(own.endpoint === undefined ? {} : { dialOwn: own.endpoint }) };
}

function factsOfDial(dial: Dial): Record<string, Fact> {
  if (dial.endpoint === undefined) return { dialProblem: dial.problem };
  const { endpoint, differs } = dial;
  return { dial: endpoint, ...(differs === undefined ? {} : { dialDiffers: differs }) };
}

function judgeKey(found: string, wanted: string): string | undefined {
  if (found === '') return 'it does not answer, or has no key yet';
  return found === wanted ? undefined : 'its key is not the one on disk';
}

async function observePeer(
  peer: Peer,
  name: string,
  grants: readonly string[],
  context: Context,
): Promise<Observed<PeerSpec>> {
  const { publicKey, address, latestHandshake, received, sent, endpoint } = peer;
  const { crypto } = context.ports;
  const renew = await compareKey(presharedKeyName(publicKey), 'preshared', context, (secret) =>
    toHex(crypto.sha3_256(secret)) === peer.presharedKeyHash
      ? undefined
      : 'its preshared key is not the one on disk',
  );
  const facts: Record<string, Fact> = { publicKey, address, latestHandshake, received, sent };
  const address6 = twinOf(context.network, address);
  if (address6 !== undefined) facts['address6'] = address6;
  if (endpoint !== undefined) facts['endpoint'] = endpoint;
  facts['grants'] = grants.join(' ');
  return {
    key: `peer:${publicKey}`,
    spec: { type: 'peer', interface: name, publicKey, address },
    facts,
    ...(renew === undefined ? {} : { renew }),
  };
}

/** Where the device is, the relay alone knows. */
function fromRelay(
  observed: Observed<PeerSpec>,
  relayed: Relayed | undefined,
  hub: string,
): Observed<PeerSpec> {
  const { endpoint } = observed.facts;
  if (relayed === undefined || parseEndpoint(String(endpoint ?? ''))?.host !== hub) return observed;
  return { ...observed, facts: { ...observed.facts, from: `the relay ${relayed.relay}` } };
}

/**
 * A peer that was let in just now, or cut off: WireGuard took it and said so, and nobody came yet. What it may reach is
 * seen by the next look.
 */
export function observeChanged(
  changes: readonly Change<Spec>[],
  { network }: Context,
): readonly Observed<Spec>[] | undefined {
  const observed: Observed<Spec>[] = [];
  for (const change of changes) {
    const { spec } = change.op === 'delete' ? change.have : change.want;
    if (spec.type !== 'peer' || change.op === 'update') return undefined;
    if (change.op === 'delete') continue;
    const { publicKey, address } = spec;
    const address6 = twinOf(network, address);
    const facts = {
      publicKey,
      address,
      latestHandshake: 0,
      received: 0,
      sent: 0,
      ...(address6 === undefined ? {} : { address6 }),
      grants: '',
    };
    observed.push({ key: change.want.key, spec, facts });
  }
  return observed;
}

/** `address:port` of every service that the hub lets each device reach, by the device's address. */
export function grantsBySource(
  interfaceOfPeers: string,
  flows: readonly Flow[],
): ReadonlyMap<string, readonly string[]> {
  const grants = new Map<string, string[]>();
  for (const { via, source, address, port } of flows) {
    if (via !== interfaceOfPeers) continue;
    const list = grants.get(source) ?? [];
    list.push(`${address}:${port}`);
    grants.set(source, list);
  }
  for (const list of grants.values()) list.sort();
  return grants;
}

/**
 * A key that cannot be read must not hide what runs: it becomes the reason to apply again, and applying says which key
 * it is and what to do. The tunnel keeps the key that it has until then.
 */
async function compareKey(
  name: string,
  type: KeyType,
  { ports }: Context,
  judge: (secret: Uint8Array) => string | undefined,
): Promise<string | undefined> {
  try {
    const secret = await ports.keys.read(name, type);
    return secret === undefined ? 'its key is not on disk' : judge(secret.reveal());
  } catch (error) {
    if (error instanceof GatewayError && (error.code === 'KeyCorrupt' || error.code === 'KeyMissing')) {
      return error.message;
    }
    throw error;
  }
}
