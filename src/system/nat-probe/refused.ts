import { createSocket } from 'node:dgram';
import { errnoOf } from '../../core/errors.ts';

/** Hops of a home and its provider; farther ones own no address of ours. */
const MOST_TTL = 8;
/** Routers ration refusals, so one TTL after the other, and no packet more than is needed. */
const WAIT_MS = 250;
const SENDS = 2;
/** Nothing listens there on a home's router. */
const PORT = 40_999;

/**
 * The smallest TTL at which a datagram to `address` is refused: the router that has this address is so far away, or a
 * firewall. A connected socket hears of it; no privileges are needed. `undefined`: nothing refused.
 */
export async function refusingTtl(address: string, signal: AbortSignal): Promise<number | undefined> {
  for (let ttl = 1; ttl <= MOST_TTL && !signal.aborted; ttl += 1) {
    if (await isRefused(address, ttl, signal)) return ttl;
  }
  return undefined;
}

function isRefused(address: string, ttl: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    let timer: NodeJS.Timeout | undefined;
    let sent = 0;
    const end = (answer: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      socket.removeAllListeners().on('error', () => undefined);
      socket.close();
      resolve(answer);
    };
    const stop = (): void => end(false);
    const failed = (error: Error | null): void => {
      if (error !== null) end(errnoOf(error) === 'ECONNREFUSED');
    };
    const send = (): void => {
      if (sent === SENDS) return end(false);
      sent += 1;
      socket.send('?', failed);
      timer = setTimeout(send, WAIT_MS);
    };
    signal.addEventListener('abort', stop, { once: true });
    socket.on('error', failed);
    socket.on('connect', () => {
      socket.setTTL(ttl);
      send();
    });
    if (signal.aborted) stop();
    else socket.connect(PORT, address);
  });
}
