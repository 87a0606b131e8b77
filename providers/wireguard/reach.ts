import type { Context, Exposure, Observed, Reach, Vantage } from '../../src/core/contract.ts';
import { isPublicUnicast, parseEndpoint } from '../../src/core/inet.ts';
import { interfaceName, type InterfaceSpec, type Spec } from './spec.ts';
import { visitorsOf, type Visitor } from './visitors.ts';

/** WireGuard drops a session this long after its handshake (protocol: REJECT_AFTER_TIME): an older one proves nothing now. */
const PROOF_SECONDS = 180;

const ADVICE = 'switch a device to mobile data (Wi-Fi off) and turn its tunnel on';

/** By handshakes: whoever completed one from outside came all the way. */
export async function reach(
  exposure: Exposure,
  observed: readonly Observed<Spec>[],
  context: Context,
): Promise<Reach> {
  const key = `interface:${interfaceName(context.network)}`;
  const own = observed.find((each) => each.key === key)?.spec;
  if (own?.type !== 'interface') return unknown('none', 'the WireGuard interface does not exist yet');
  const { name, address, port } = exposure.service;
  const visitors = visitorsOf(observed, `${address}:${port}`);
  if (visitors.length === 0)
    return unknown('none', `no device was given ${name} yet: gateway device add PHONE --service ${name}`);
  return judge(visitors, await ownAddresses(own, context), context.ports.now() / 1000);
}

/** A visit from a public address that is not our own comes from outside. Every other one proves nothing. */
export function judge(
  peers: readonly Visitor[],
  own: readonly string[] | undefined,
  nowSeconds: number,
): Reach {
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

function judgeVisit(peer: Visitor, own: readonly string[] | undefined): Reach {
  const source = parseEndpoint(peer.endpoint ?? '')?.host;
  if (source === undefined) return unknown('none', 'a device connected, but from where is not known');
  if (source.includes(':')) {
    // Devices at home have public IPv6 addresses too: until our own prefix is known, one proves nothing.
    return unknown('none', `a device connected from ${source}, which may be at home; ${ADVICE}`);
  }
  if (!isPublicUnicast(source)) {
    return unknown('lan', `a device connected from ${source}, inside this network; ${ADVICE}`);
  }
  if (own === undefined) {
    return unknown(
      'none',
      `a device connected from ${source}, but the endpoint's own address could not be looked up`,
    );
  }
  if (own.includes(source)) {
    return unknown('hairpin', `a device connected through ${source}, this network's own address; ${ADVICE}`);
  }
  const provedAt = new Date(peer.latestHandshake * 1000).toISOString();
  return { reachable: 'yes', vantage: 'device', provedAt, detail: `a device connected from ${source}` };
}

function unknown(vantage: Vantage, detail: string): Reach {
  return { reachable: 'unknown', vantage, detail };
}

/**
 * The public addresses behind the endpoint that devices dial. `undefined` when they cannot be told: a resolver at home may
 * answer with an address of the home itself, which would let a visit through our own router look like one from outside.
 */
async function ownAddresses(
  own: InterfaceSpec,
  { ports, signal }: Context,
): Promise<readonly string[] | undefined> {
  const endpoint = parseEndpoint(own.endpoint);
  if (endpoint === undefined) return undefined;
  if (endpoint.type !== 'name') return [endpoint.host];
  const found = ((await ports.resolve(endpoint.host, signal)) ?? []).filter(isPublicUnicast);
  return found.length === 0 ? undefined : found;
}
