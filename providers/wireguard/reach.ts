import type { Context, Exposure, Observed, Reach } from '../../src/core/contract.ts';
import { isPublicUnicast, parseEndpoint, type Endpoint } from '../../src/core/inet.ts';
import { isPublicIpv6, isSameSite } from '../../src/core/inet6.ts';
import { LEARNED } from './endpoint.ts';
import { lookByIpv6 } from './ipv6.ts';
import { prove, PROOF_SECONDS, type Target, unknown } from './prove.ts';
import { isByRelay, judgeRelayed, proveRelayed } from './reach-relayed.ts';
import { noteOwnWay } from './relayed.ts';
import { interfaceName, type Spec } from './spec.ts';
import { visitorsOf, type Visitor } from './visitors.ts';

const ADVICE = 'switch a device to mobile data (Wi-Fi off) and turn its tunnel on';

/** By handshakes: whoever completed one from outside came all the way. */
export async function reach(
  exposure: Exposure,
  observed: readonly Observed<Spec>[],
  context: Context,
): Promise<Reach> {
  const key = `interface:${interfaceName(context.network)}`;
  const found = observed.find((each) => each.key === key);
  const own = found?.spec;
  if (own?.type !== 'interface') return unknown('none', 'the WireGuard interface does not exist yet');
  const { address, port, name } = exposure.service;
  const facts = found?.facts ?? {};
  const publicKey = String(facts['publicKey'] ?? '');
  const { listenPort } = own;
  const target = { name: own.name, publicKey, listenPort, mayMove: own.endpoint === LEARNED };
  const visitors = visitorsOf(observed, `${address}:${port}`);
  const visit = { observed, target, visitors, name };
  const relay = facts['dialRelay'];
  if (relay === undefined) return reachDirectly(visit, String(facts['dial'] ?? own.endpoint), context);
  // Whether the home's own way works again: then new codes carry that.
  if (facts['dialOwn'] !== undefined) await reachDirectly(visit, String(facts['dialOwn']), context);
  const byRelay = visitors.filter((visitor) => isByRelay(visitor, context.network.hub));
  const way = { relay: String(relay), endpoint: String(facts['dial']) };
  return (
    judgeRelayed(byRelay, way.relay, context.ports.now() / 1000) ??
    (await proveRelayed(observed, target, way, context)) ??
    unknown('none', 'the WireGuard interface has no key yet')
  );
}

interface Visit {
  readonly observed: readonly Observed<Spec>[];
  readonly target: Target;
  /** Of the service. */
  readonly visitors: readonly Visitor[];
  readonly name: string;
}

/** By the home's own endpoint; who came by a relay says nothing of it. */
async function reachDirectly(visit: Visit, dial: string, context: Context): Promise<Reach> {
  const verdict = await lookDirectly(visit, parseEndpoint(dial), context);
  noteOwnWay(context.ports.home, dial, verdict.reachable);
  return verdict;
}

async function lookDirectly(
  { observed, target, visitors, name }: Visit,
  endpoint: Endpoint | undefined,
  context: Context,
): Promise<Reach> {
  const { listenPort } = target;
  const direct = visitors.filter((visitor) => !isByRelay(visitor, context.network.hub));
  const addresses = await dialedAddresses(endpoint, context);
  const seen =
    visitors.length === 0
      ? unknown('none', `no device was given ${name} yet: gateway device add PHONE --service ${name}`)
      : judge(direct, ownAddresses(addresses, context), context.ports.now() / 1000);
  // A visitor that got in is the best proof there is; whoever asks for more only disturbs.
  if (endpoint === undefined) return seen;
  await lookByIpv6(target, endpoint.port, context);
  if (seen.reachable === 'yes') {
    await tellOfDevice(seen, { listenPort, externalPort: endpoint.port }, context);
    return seen;
  }
  return (await prove(observed, target, { endpoint, addresses }, context)) ?? seen;
}

/** Whoever came in knows the port outside. */
async function tellOfDevice(
  { reachable, detail, provedAt }: Reach,
  { listenPort, externalPort }: { readonly listenPort: number; readonly externalPort: number },
  { ports, signal }: Context,
): Promise<void> {
  const port = { transport: 'udp', port: listenPort } as const;
  const visit = {
    port,
    reachable,
    externalPort,
    beganAt: Date.parse(provedAt ?? ''),
    detail,
    mayMove: false,
    isDevice: true,
  };
  await ports.mapper.visited(visit, signal);
}

/** Public addresses that are this network's own, as far as anybody knows. */
export interface Own {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** A visit from a public address that is not our own comes from outside. Every other one proves nothing. */
export function judge(peers: readonly Visitor[], own: Own, nowSeconds: number): Reach {
  const newest = [...peers].sort((a, b) => b.latestHandshake - a.latestHandshake);
  const recent = newest.filter((peer) => nowSeconds - peer.latestHandshake < PROOF_SECONDS);
  const verdicts = recent.map((peer) => judgeVisit(peer, own));
  const best = verdicts.find((verdict) => verdict.reachable === 'yes') ?? verdicts[0];
  if (best !== undefined) return best;
  const last = newest[0]?.latestHandshake ?? 0;
  if (last === 0) return unknown('none', `no device has connected yet: scan the code, ${ADVICE}`);
  const minutes = Math.max(Math.round((nowSeconds - last) / 60), 3);
  return unknown(
    'none',
    `the last device connected ${minutes} minutes ago; to prove the way again, ${ADVICE}`,
  );
}

/**
 *   source                                 | own address known | verdict
 *   ---------------------------------------+-------------------+--------
 *   not public                             | either            | lan
 *   public                                 | no                | unknown
 *   IPv4, our own (through the router)     | yes               | hairpin
 *   IPv6, in the /48 of one of our own     | yes               | lan
 *   any other                              | yes               | yes
 */
function judgeVisit(peer: Visitor, own: Own): Reach {
  const source = parseEndpoint(peer.endpoint ?? '')?.host;
  if (source === undefined) return unknown('none', 'a device connected, but from where is not known');
  const isSix = source.includes(':');
  if (!(isSix ? isPublicIpv6(source) : isPublicUnicast(source))) {
    return unknown('lan', `a device connected from ${source}, inside this network; ${ADVICE}`);
  }
  const doubt = isSix ? doubtOfIpv6(source, own.ipv6) : doubtOfIpv4(source, own.ipv4);
  if (doubt !== undefined) return doubt;
  const provedAt = new Date(peer.latestHandshake * 1000).toISOString();
  return { reachable: 'yes', vantage: 'device', provedAt, detail: `a device connected from ${source}` };
}

function doubtOfIpv4(source: string, own: readonly string[]): Reach | undefined {
  if (own.length === 0) {
    return unknown(
      'none',
      `a device connected from ${source}, but the endpoint's own address could not be looked up`,
    );
  }
  if (!own.includes(source)) return undefined;
  return unknown('hairpin', `a device connected through ${source}, this network's own address; ${ADVICE}`);
}

/** Devices at home have public IPv6 addresses too, all in one block: the provider gives a home a /48 at the most. */
function doubtOfIpv6(source: string, own: readonly string[]): Reach | undefined {
  if (own.length === 0)
    return unknown('none', `a device connected from ${source}, which may be at home; ${ADVICE}`);
  if (!own.some((address) => isSameSite(address, source))) return undefined;
  return unknown('lan', `a device connected from ${source}, in this network's own IPv6 block; ${ADVICE}`);
}

/** The public addresses behind the endpoint that devices dial; empty when they cannot be told. */
async function dialedAddresses(
  endpoint: Endpoint | undefined,
  { ports, signal }: Context,
): Promise<readonly string[]> {
  if (endpoint?.type !== 'name') return endpoint === undefined ? [] : [endpoint.host];
  const found = (await ports.resolve(endpoint.host, signal)) ?? [];
  return found.filter((address) => isPublicUnicast(address) || isPublicIpv6(address));
}

/**
 * What devices dial, and what this machine knows of itself. A resolver at home may answer with an address of the home itself,
 * which would let a visit through our own router look like one from outside.
 */
function ownAddresses(dialed: readonly string[], { ports }: Context): Own {
  const known = [...dialed, ...ports.home.addresses().map(({ address }) => address)];
  return {
    ipv4: known.filter((address) => isPublicUnicast(address)),
    ipv6: known.filter((address) => isPublicIpv6(address)),
  };
}
