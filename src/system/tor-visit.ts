import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { SocksProxyAgent } from 'socks-proxy-agent';
import type { PageVisit } from '../core/ports.ts';
import { GatewayError, messageOf, type ErrorCode } from '../core/errors.ts';

/** tor itself gives up on a stream after two minutes. */
const TIMEOUT_MS = 60_000;

/**
 * Opens a stream to `host` as a visitor's Tor client would, on a circuit of its own (credentials nobody else uses:
 * stream isolation, prop171), and hangs up as soon as the far end accepted. Resolves with milliseconds.
 */
export async function visitThroughTor(
  socksSocket: string,
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<number> {
  const { tookMs } = await visit({ socksSocket, host, port, isPage: false }, signal);
  return tookMs;
}

/** The same, and asks what is there for the head of its page; resolves once that has begun to come. */
export function visitPageThroughTor(
  socksSocket: string,
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<PageVisit> {
  return visit({ socksSocket, host, port, isPage: true }, signal);
}

interface Destination {
  readonly socksSocket: string;
  readonly host: string;
  readonly port: number;
  readonly isPage: boolean;
}

function visit({ socksSocket, host, port, isPage }: Destination, signal: AbortSignal): Promise<PageVisit> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(translate(host, port, signal, signal.reason));
    const [user, password] = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')];
    // `path` wins over host and port: the connection goes to tor's unix socket.
    const socketOptions = { path: socksSocket, noDelay: true };
    const agent = new SocksProxyAgent(`socks5h://${user}:${password}@tor`, {
      timeout: TIMEOUT_MS,
      socketOptions,
    });
    const startedAt = performance.now();
    const asked = request({ agent, host, port, method: 'HEAD', headers: { connection: 'close' } });
    let isOpen = false;
    const done = (status: number): void => {
      signal.removeEventListener('abort', abort);
      resolve({ status, tookMs: performance.now() - startedAt });
      asked.destroy();
    };
    const fail = (cause: unknown): void => {
      signal.removeEventListener('abort', abort);
      asked.destroy();
      reject(isOpen && !signal.aborted ? mute(host, port, cause) : translate(host, port, signal, cause));
    };
    // A request that has no socket yet says nothing when it is destroyed.
    const abort = (): void => fail(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    // Comes when the stream is open, before the request has a socket: no byte of HTTP was sent yet.
    asked.on('proxy', ({ socket }: { socket: Socket }) => {
      isOpen = true;
      if (isPage) return;
      done(0);
      socket.destroy();
    });
    asked.on('response', ({ statusCode = 0 }) => done(statusCode));
    asked.on('error', fail);
    asked.end();
  });
}

function mute(host: string, port: number, cause: unknown): GatewayError {
  return new GatewayError(`${host}:${port} accepted the connection, and did not answer as a page does`, {
    code: 'ConnectionRefused',
    cause,
  });
}

/** Replies of tor's SOCKS port, as the library names them; what they mean was tried with an onion of our own. */
const REPLIES: Readonly<Record<string, { readonly code: ErrorCode; readonly means: string }>> = {
  ConnectionRefused: { code: 'ConnectionRefused', means: 'refused the connection' },
  // An onion whose service does not accept: tor hides the reason from visitors.
  Failure: {
    code: 'ConnectionRefused',
    means: 'was found, but what it leads to does not accept connections',
  },
  // No descriptor, no introduction point, or no route from there.
  HostUnreachable: { code: 'Unreachable', means: 'could not be reached through Tor' },
  NetworkUnreachable: { code: 'Unreachable', means: 'could not be reached through Tor' },
  TTLExpired: { code: 'Timeout', means: 'did not answer through Tor in time' },
};

function translate(host: string, port: number, signal: AbortSignal, cause: unknown): GatewayError {
  const message = messageOf(cause);
  const target = `${host}:${port}`;
  const isLate = /timed out/.test(message) || isTimeout(signal.reason);
  if (signal.aborted && !isLate) {
    return new GatewayError(`the visit to ${target} was cancelled`, {
      code: 'Aborted',
      retry: 'never',
      cause,
    });
  }
  if (isLate)
    return new GatewayError(`${target} did not answer through Tor in time`, { code: 'Timeout', cause });
  const said = /rejected connection - (\w+)/.exec(message)?.[1];
  if (said === undefined) {
    return new GatewayError(`tor does not accept connections on its SOCKS socket: ${message}`, {
      code: 'TorUnavailable',
      cause,
    });
  }
  const { code, means } = REPLIES[said] ?? {
    code: 'Unreachable',
    means: `could not be reached through Tor (${said})`,
  };
  return new GatewayError(`${target} ${means}`, { code, cause });
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === 'TimeoutError';
}
