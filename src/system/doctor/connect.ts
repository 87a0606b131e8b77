import { connect } from 'node:net';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import type { Connected } from '../../doctor/world.ts';

const TIMEOUT_MS = 2000;

/** Nothing is sent; the connection is closed at once. `host` is an address. */
export function connectTo(host: string, port: number, signal: AbortSignal): Promise<Connected> {
  const { promise, resolve, reject } = Promise.withResolvers<Connected>();
  const socket = connect({ host, port });
  const abort = (): void => reject(new GatewayError(`${host} was not waited for`, { code: 'Aborted' }));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  socket.setTimeout(TIMEOUT_MS, () => resolve('silent'));
  socket.on('connect', () => resolve('open'));
  socket.on('error', (error) => resolve(meaningOf(errnoOf(error))));
  return promise.finally(() => {
    signal.removeEventListener('abort', abort);
    socket.destroy();
  });
}

function meaningOf(errno: string | undefined): Connected {
  if (errno === 'ECONNREFUSED') return 'refused';
  return errno === 'ETIMEDOUT' ? 'silent' : 'unreachable';
}
