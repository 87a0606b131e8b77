import { isPublicUnicast } from '../core/inet.ts';
import type { Hop } from '../core/through.ts';
import { parseExceeded, parseRecordedRoute } from '../wire/ping.ts';
import { run } from './run.ts';

/** Nobody has it (TEST-NET-1, RFC 5737), and it is behind the default route: packets for it go outwards, and end there. */
export const OUTWARDS = '192.0.2.1';
const MOST_HOPS = 8;
/** Answers to a packet whose time is over get lost, or are rationed. */
const TRIES = 2;

/**
 * Routers between ours and the internet, nearest first: whose packets' time to live ends there, up to the first that is on
 * the internet or does not say. By ping, which needs no privileges of ours; it asks them nothing but an echo.
 */
export async function findHops(signal: AbortSignal): Promise<Hop[]> {
  const hops: Hop[] = [];
  for (let ttl = 2; ttl <= MOST_HOPS; ttl += 1) {
    const router = await endingAt(ttl, signal);
    if (router === undefined || isPublicUnicast(router)) break;
    if (hops.some((hop) => hop.router === router)) break;
    const asker = await askerOf(router, ttl - 1, signal);
    hops.push({ router, ...(asker === undefined ? {} : { asker }) });
  }
  return hops;
}

async function endingAt(ttl: number, signal: AbortSignal): Promise<string | undefined> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const found = parseExceeded(await ping(signal, '-t', String(ttl), OUTWARDS));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The outer address of the router before it: that is whom it sees. `before` counts the routers before it. */
async function askerOf(router: string, before: number, signal: AbortSignal): Promise<string | undefined> {
  const asker = parseRecordedRoute(await ping(signal, '-R', router))[before];
  return asker === undefined || isPublicUnicast(asker) ? undefined : asker;
}

async function ping(signal: AbortSignal, ...more: readonly string[]): Promise<string> {
  const options = { signal, env: { ...process.env, LC_ALL: 'C' }, accept: [0, 1, 2], timeoutMs: 5000 };
  return (await run(['ping', '-n', '-c', '1', '-W', '1', ...more], options)).stdout;
}
