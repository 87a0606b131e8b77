import type { Context, Observed, Reach } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { formatEndpoint, type Endpoint } from '../../src/core/inet.ts';
import type { DialledBack, Ports } from '../../src/core/ports.ts';
import { decodeKey, encodeKey } from '../../src/wire/wireguard.ts';
import { initiate, type Initiation } from '../../src/wire/wireguard-handshake.ts';
import { probePresharedKey } from '../../src/wire/wireguard-probe.ts';

/** Packets get lost: one silence proves nothing. */
const TRIES = 2;
export interface Target {
  /** Of the interface. */
  readonly name: string;
  readonly listenPort: number;
  /** Nobody was told a port by the owner: the router may be asked for another. */
  readonly mayMove: boolean;
  /** Base64; empty when it has none. */
  readonly publicKey: string;
}

export interface Place {
  /** What devices dial. */
  readonly endpoint: Endpoint;
  /** The endpoint's public addresses; empty when they cannot be told. */
  readonly addresses: readonly string[];
}

/** Every service has the same interface: one look at the world, one proof. */
export type Proofs = WeakMap<readonly Observed[], Promise<Reach | undefined>>;
const proofs: Proofs = new WeakMap();

/** WireGuard drops a session this long after its handshake (protocol: REJECT_AFTER_TIME): an older one proves nothing now. */
export const PROOF_SECONDS = 180;

/**
 * Has a vantage outside carry a handshake to the interface, as the peer that was made for it. Only the interface itself
 * can answer, so a vantage that lies can hide an open port and cannot make a closed one look open. `undefined` when there
 * is no vantage.
 */
export function prove(
  observed: readonly Observed[],
  own: Target,
  place: Place,
  context: Context,
): Promise<Reach | undefined> {
  return onceFor(proofs, observed, () => attempt(own, place, context));
}

export function onceFor(
  known: Proofs,
  observed: readonly Observed[],
  begin: () => Promise<Reach | undefined>,
): Promise<Reach | undefined> {
  const before = known.get(observed);
  if (before !== undefined) return before;
  const proof = begin();
  known.set(observed, proof);
  // Who waits is told; the next one must not be told of a failure that was another's abort.
  proof.catch(() => known.delete(observed));
  return proof;
}

/** Asked for twice where nothing comes back. */
export async function attempt(own: Target, place: Place, context: Context): Promise<Reach | undefined> {
  const beganAt = context.ports.now();
  let verdict: Reach | undefined;
  for (let tried = 0; tried < TRIES; tried += 1) {
    verdict = await handshake(own, place, context);
    if (verdict?.reachable !== 'no') break;
  }
  if (verdict !== undefined) await tellMapper(own, place, verdict, { beganAt, ...context });
  return verdict;
}

/** A port that is open in the router, and lets nobody in, is asked for again. */
async function tellMapper(
  { listenPort, mayMove }: Target,
  { endpoint }: Place,
  { reachable, vantage }: Reach,
  { beganAt, ports, signal }: Context & { readonly beganAt: number },
): Promise<void> {
  if (endpoint.type === 'ipv6') return;
  const port = { transport: 'udp', port: listenPort } as const;
  const detail = `a ${vantage} outside got no answer from UDP ${formatEndpoint(endpoint)}`;
  const visit = { port, reachable, externalPort: endpoint.port, beganAt, detail, mayMove };
  await ports.mapper.visited(visit, signal);
}

function handshake(
  own: Target,
  { endpoint, addresses }: Place,
  context: Context,
): Promise<Reach | undefined> {
  const { ports, signal } = context;
  return withProbe(own, context, async ({ message, judge }) => {
    const family = endpoint.type === 'ipv6' ? 6 : 4;
    const request = { protocol: 'udp', family, port: endpoint.port, payload: message } as const;
    const dialled = await ports.vantages.dialBack(request, signal);
    return judgeDialled(dialled, judge, { endpoint, addresses }, ports.now());
  });
}

/** For as long as it lasts the interface answers the first message that `send` is given. `undefined`: it has no key. */
export async function withProbe<Result>(
  own: Target,
  { network, ports, signal }: Context,
  send: (initiation: Initiation) => Promise<Result>,
): Promise<Result | undefined> {
  const { crypto, helper } = ports;
  const publicKey = decodeKey(own.publicKey);
  if (publicKey === undefined) return undefined;
  const privateKey = crypto.curve25519Secret();
  const target = { network, name: own.name };
  const probe = encodeKey(crypto.curve25519Public(privateKey));
  await helper.call('wireguard.ensureProbe', { ...target, publicKey: probe }, signal);
  try {
    const initiation = initiate(
      {
        publicKey,
        privateKey,
        presharedKey: probePresharedKey(publicKey),
        ephemeral: crypto.curve25519Secret(),
        index: new DataView(crypto.random(4).buffer).getUint32(0),
        nowMs: ports.now(),
      },
      crypto,
    );
    return await send(initiation);
  } finally {
    await close(target, ports);
  }
}

/**
 * What the vantage said                         | verdict
 * ----------------------------------------------+---------------------------------------------
 * there is none                                 | undefined
 * it could not be asked, or could not dial      | unknown
 * it dialled another address than devices do    | unknown
 * the interface's own answer                    | yes
 * the interface's plea to be asked less         | unknown
 * something else answered                       | unknown
 * nothing came back, or the port is closed      | no (asked for twice)
 */
export function judgeDialled(
  dialled: DialledBack,
  judge: Initiation['judge'],
  { endpoint, addresses }: Place,
  nowMs: number,
): Reach | undefined {
  if (dialled.status === 'none') return undefined;
  if (dialled.status === 'unreachable') return unknown('none', `no relay could look: ${dialled.detail}`);
  const { relay, to, outcome } = dialled;
  const where = formatEndpoint({ host: to, port: endpoint.port });
  if (!addresses.includes(to)) {
    const dial = addresses.length === 0 ? 'its address could not be looked up' : addresses.join(', ');
    return unknown(
      'relay',
      `the relay ${relay} sees this gateway at ${to}, but devices dial ${formatEndpoint(endpoint)} (${dial})`,
    );
  }
  const found = outcome === 'answered' ? judge(dialled.answer) : outcome;
  if (found === 'proved') {
    const provedAt = new Date(nowMs).toISOString();
    return {
      reachable: 'yes',
      vantage: 'relay',
      provedAt,
      detail: `a handshake through ${where}, made by the relay ${relay}`,
    };
  }
  if (found === 'overloaded') {
    return unknown(
      'relay',
      `WireGuard at ${where} answers the relay ${relay}, but is asked too much to prove it`,
    );
  }
  if (found === 'foreign') {
    return unknown(
      'relay',
      `something answers the relay ${relay} at UDP ${where}, but it is not this gateway's WireGuard`,
    );
  }
  return {
    reachable: 'no',
    vantage: 'relay',
    detail: `nothing comes back from UDP ${where}, says the relay ${relay}: forward that port in the router to this machine`,
  };
}

export function unknown(vantage: Reach['vantage'], detail: string): Reach {
  return { reachable: 'unknown', vantage, detail };
}

const CLOSE_MS = 5000;

/** Also when the visit was cut short. A probe that stays reaches nothing, and the next one replaces it. */
async function close(target: Parameters<typeof closing>[0], ports: Ports): Promise<void> {
  try {
    await closing(target, ports);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    ports.log('warn', 'the peer that proved WireGuard stays for now', { error: error.message });
  }
}

function closing(target: { readonly network: Context['network']; readonly name: string }, { helper }: Ports) {
  return helper.call('wireguard.removeProbe', target, AbortSignal.timeout(CLOSE_MS));
}
