import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatIpv4, parseIpv4 } from '../../core/inet.ts';
import { MappingError } from '../../core/mapping.ts';
import { encodeMap, parsePcpAnswer, PCP_PORT, PCP_RESULTS, type PcpAnswer } from '../../wire/pcp.ts';
import { askRouter } from '../mapping/ask-router.ts';

const MISMATCH = PCP_RESULTS.indexOf('ADDRESS_MISMATCH');
/** What comes after addresses were compared. miniupnpd has no resources to remove what is not there. */
const MATCHES = ['SUCCESS', 'NO_RESOURCES', 'NOT_AUTHORIZED', 'NETWORK_FAILURE'].map((name) =>
  PCP_RESULTS.findIndex((one) => one === name),
);
/** Nobody has it (TEST-NET-1, RFC 5737). */
const NOBODY = '192.0.2.77';
const SENDS = 2;
const SWEEP_WAIT_MS = 700;

/**
 * PCP (RFC 6887 8.2): a router compares the address in a request with the one that the packet comes from, and answers
 * ADDRESS_MISMATCH where a NAT in between changed it. Asked is for the removal of a mapping that never was, which changes
 * nothing: the one guess that is no mismatch is where it sees our packets come from.
 */
export interface PcpLook {
  readonly isSpoken: boolean;
  readonly epochSeconds?: number | undefined;
  /** `undefined`: none of the guesses, or it does not compare. */
  readonly source?: string | undefined;
}

/** `undefined`: it is silent. `guesses` first; then, with `maySweep`, every address of the /24 that the router is in. */
export async function lookByPcp(
  router: string,
  guesses: readonly string[],
  maySweep: boolean,
  signal: AbortSignal,
): Promise<PcpLook | undefined> {
  const first = await ask(router, NOBODY, signal);
  if (first === undefined) return undefined;
  if (first === 'closed' || first.type === 'version') return { isSpoken: false };
  const { epochSeconds } = first;
  // One that takes this one for ours compares nothing.
  if (first.result !== MISMATCH) return { isSpoken: true, epochSeconds };
  for (const guess of new Set(guesses)) {
    const answer = await ask(router, guess, signal);
    if (isMatch(answer)) return { isSpoken: true, epochSeconds, source: guess };
  }
  const source = maySweep ? await sweep(router, signal) : undefined;
  return { isSpoken: true, epochSeconds, source };
}

/** `closed`: it said that nothing listens there; `undefined`: it is silent. */
async function ask(
  router: string,
  client: string,
  signal: AbortSignal,
): Promise<PcpAnswer | 'closed' | undefined> {
  const nonce = randomBytes(12).toString('hex');
  const accept = (received: Uint8Array): PcpAnswer | undefined => {
    const found = parsePcpAnswer(received);
    return found?.type === 'version' || (found?.type === 'map' && found.nonce === nonce) ? found : undefined;
  };
  const question = { router, port: PCP_PORT, bytes: removal(client, nonce), accept, protocol: 'PCP' };
  try {
    return await askRouter({ ...question, sends: SENDS }, signal);
  } catch (error) {
    if (error instanceof MappingError) return error.refusal === 'unsupported' ? 'closed' : undefined;
    throw error;
  }
}

function isMatch(answer: PcpAnswer | 'closed' | undefined): boolean {
  return typeof answer === 'object' && answer.type === 'map' && MATCHES.includes(answer.result);
}

/** Of a mapping that nobody has: the port is the discard service's, the nonce was never used. */
function removal(client: string, nonce: string): Uint8Array {
  const identity = { transport: 'udp', internalAddress: client, internalPort: 9, nonce } as const;
  return encodeMap({ ...identity, externalPort: 0, lifetimeSeconds: 0 });
}

/** The last byte of the nonce says which address was asked for. */
async function sweep(router: string, signal: AbortSignal): Promise<string | undefined> {
  const net = (parseIpv4(router) ?? 0) & ~0xff;
  const prefix = randomBytes(11).toString('hex');
  const matches = new Set<number>();
  const socket = createSocket('udp4');
  // Silence is an answer, too.
  socket.on('error', () => undefined);
  socket.on('message', (bytes) => {
    const found = parsePcpAnswer(bytes);
    if (found?.type !== 'map' || !isMatch(found) || !found.nonce.startsWith(prefix)) return;
    matches.add(Number.parseInt(found.nonce.slice(prefix.length), 16));
  });
  try {
    await new Promise<void>((resolve) => socket.connect(PCP_PORT, router, resolve));
    for (let host = 1; host <= 254 && !signal.aborted; host += 1) {
      const nonce = prefix + host.toString(16).padStart(2, '0');
      socket.send(removal(formatIpv4((net | host) >>> 0), nonce), () => undefined);
      if (host % 16 === 0) await sleep(2);
    }
    for (let waited = 0; waited < SWEEP_WAIT_MS && !signal.aborted; waited += 50) await sleep(50);
  } finally {
    socket.removeAllListeners().on('error', () => undefined);
    socket.close();
  }
  const [host, ...others] = matches;
  // More than one: it does not compare.
  return host === undefined || others.length > 0 ? undefined : formatIpv4((net | host) >>> 0);
}
