import type { Context, Observed, Reach } from '../../src/core/contract.ts';
import type { RelayVisited } from '../../src/core/carrier.ts';
import { formatEndpoint, isPublicUnicast, parseEndpoint } from '../../src/core/inet.ts';
import { type Initiation } from '../../src/wire/wireguard-handshake.ts';
import { onceFor, PROOF_SECONDS, type Proofs, type Target, unknown, withProbe } from './prove.ts';
import type { Visitor } from './visitors.ts';

/** What a relay brings is seen to come from the hub, and nothing else is. */
export function isByRelay({ endpoint }: Visitor, hub: string): boolean {
  return parseEndpoint(endpoint ?? '')?.host === hub;
}

/** A device that came this way is the best proof; it proves this way and no other. */
export function judgeRelayed(
  peers: readonly Visitor[],
  relay: string,
  nowSeconds: number,
): Reach | undefined {
  const latest = Math.max(0, ...peers.map(({ latestHandshake }) => latestHandshake));
  if (nowSeconds - latest >= PROOF_SECONDS) return undefined;
  const provedAt = new Date(latest * 1000).toISOString();
  return {
    reachable: 'yes',
    vantage: 'device',
    provedAt,
    byRelay: relay,
    detail: `a device connected through the relay ${relay}`,
  };
}

const proofs: Proofs = new WeakMap();

interface RelayedWay {
  readonly relay: string;
  /** What devices dial. */
  readonly endpoint: string;
}

/**
 * As a device would: from this machine by its own line to the relay's port, through the tunnel, and back. Only the interface
 * can answer, so a relay that lies cannot make a way that is shut look open.
 */
export function proveRelayed(
  observed: readonly Observed[],
  own: Target,
  way: RelayedWay,
  context: Context,
): Promise<Reach | undefined> {
  return onceFor(proofs, observed, () => attempt(own, way, context));
}

const TRIES = 2;

async function attempt(own: Target, way: RelayedWay, context: Context): Promise<Reach | undefined> {
  const { ports, signal } = context;
  const { host = '', port = 0, type } = parseEndpoint(way.endpoint) ?? {};
  const found = type === 'name' ? ((await ports.resolve(host, signal)) ?? []) : [host];
  const address = found.find((each) => isPublicUnicast(each));
  if (address === undefined)
    return unknown('none', `the address of the relay ${way.relay} could not be looked up`);
  const where = formatEndpoint({ host: address, port });
  let verdict: Reach | undefined;
  for (let tried = 0; tried < TRIES; tried += 1) {
    verdict = await withProbe(own, context, async ({ message, judge }) => {
      const visit = { transport: 'udp', address, port, payload: message, enough: 0 } as const;
      const visited = await ports.carrier.visit(visit, signal);
      return judgeVisited(visited, judge, { ...way, where }, ports.now());
    });
    if (verdict?.reachable === 'yes') break;
  }
  return verdict;
}

/**
 * What came of it                   | verdict
 * ----------------------------------+----------------------
 * it could not be tried             | unknown
 * the interface's own answer        | yes
 * its plea to be asked less         | unknown
 * something else answered           | unknown
 * nothing, or the port is closed    | no (asked for twice)
 */
export function judgeVisited(
  { outcome, answer }: RelayVisited,
  judge: Initiation['judge'],
  { relay, where }: { readonly relay: string; readonly where: string },
  nowMs: number,
): Reach {
  if (outcome === 'failed')
    return unknown('none', `the relay ${relay} could not be visited at UDP ${where} from here`);
  const found = outcome === 'answered' ? judge(answer) : outcome;
  if (found === 'proved') {
    const detail = `a handshake through ${where} of the relay ${relay} and its tunnel`;
    const provedAt = new Date(nowMs).toISOString();
    return { reachable: 'yes', vantage: 'relay', provedAt, byRelay: relay, detail };
  }
  if (found === 'overloaded') {
    return unknown('relay', `WireGuard answers behind the relay ${relay}, but is asked too much to prove it`);
  }
  if (found === 'foreign') {
    return unknown(
      'relay',
      `something answers at UDP ${where} of the relay ${relay}, but it is not this gateway's WireGuard`,
    );
  }
  const detail = `nothing comes back from UDP ${where} of the relay ${relay}: its firewall, or its hosting company, may not let it in`;
  return { reachable: 'no', vantage: 'relay', detail };
}
