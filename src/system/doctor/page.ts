import { connect } from 'node:net';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import type { Failure, PageSeen } from '../../doctor/world.ts';
import { parseHttpReply } from '../../wire/http-reply.ts';
import { addressOf } from './host-address.ts';

const TIMEOUT_MS = 4000;
const MOST_BYTES = 20 * 1024;
const MOST_BODY = 4096;

/**
 * One page, without TLS, cookies or anything that says who asks. Read with the parser that survives broken routers: a
 * sign-in page is what is looked for.
 */
export async function askPage(url: string, signal: AbortSignal): Promise<PageSeen> {
  const { hostname, port, pathname } = new URL(url);
  const address = await addressOf(hostname, 4, signal);
  if (address === undefined) return { failure: 'name' };
  const begun = performance.now();
  const head = `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nUser-Agent: gateway\r\nAccept: */*\r\nConnection: close\r\n\r\n`;
  const got = await exchange({ address, port: port === '' ? 80 : Number(port), head }, signal);
  if ('failure' in got) return got;
  const reply = parseHttpReply(got.text);
  if (reply === undefined || reply === 'malformed') return { failure: 'malformed' };
  const date = Date.parse(reply.headers.get('date') ?? '');
  return {
    status: reply.status,
    body: reply.body.slice(0, MOST_BODY),
    location: reply.headers.get('location')?.slice(0, 300),
    date: Number.isNaN(date) ? undefined : date,
    at: got.at,
    ms: got.ms - begun,
  };
}

type Got =
  { readonly text: string; readonly at: number; readonly ms: number } | { readonly failure: Failure };

function exchange(
  to: { readonly address: string; readonly port: number; readonly head: string },
  signal: AbortSignal,
): Promise<Got> {
  const { promise, resolve, reject } = Promise.withResolvers<Got>();
  const socket = connect({ host: to.address, port: to.port });
  let received = '';
  let first: { at: number; ms: number } | undefined;
  const end = (failure: Failure): void =>
    resolve(first === undefined ? { failure } : { text: received, ...first });
  const abort = (): void => reject(new GatewayError(`${to.address} was not waited for`, { code: 'Aborted' }));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(() => end('silent'), TIMEOUT_MS);
  socket.on('connect', () => void socket.write(to.head));
  socket.on('data', (chunk: Buffer) => {
    first ??= { at: Date.now(), ms: performance.now() };
    received += chunk.toString('latin1');
    const reply = parseHttpReply(received);
    if (received.length > MOST_BYTES || (typeof reply === 'object' && reply.isWhole)) end('malformed');
  });
  socket.on('end', () => end('malformed'));
  socket.on('error', (error) => end(meaningOf(errnoOf(error))));
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    socket.destroy();
  });
}

function meaningOf(errno: string | undefined): Failure {
  if (errno === 'ECONNREFUSED') return 'refused';
  return errno === 'ETIMEDOUT' || errno === 'ECONNRESET' ? 'silent' : 'unreachable';
}
