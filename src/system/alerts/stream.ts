import { EventEmitter } from 'node:events';
import type { ClientRequest } from 'node:http';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { SocksProxyAgent } from 'socks-proxy-agent';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { resolveHost } from '../resolve.ts';

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** How a message leaves: directly, or through the SOCKS socket of a tor of ours, which also looks up the name. */
export interface Route {
  readonly socksSocket?: string;
  /**
   * Addresses that may be connected to, of which the first is taken; absent: any. Who writes to places that others name would
   * be sent to its own neighbours otherwise, and a name is looked up once: the next answer may be another one.
   */
  readonly mayReach?: (address: string) => boolean;
  /** PEM of the roots that a certificate is trusted by; absent: the public ones. */
  readonly roots?: string;
}

/** Nobody else shares the circuit: isolated by these words (tor's IsolateSOCKSAuth). */
const ISOLATION = 'alerts:alerts';

export async function openStream({ host, port }: Place, route: Route, signal: AbortSignal): Promise<Socket> {
  try {
    if (route.socksSocket !== undefined) return await throughTor(host, port, route.socksSocket, signal);
    const found = route.mayReach === undefined ? host : await allowed(host, route.mayReach, signal);
    return await opened(connect({ host: found, port, signal }), 'connect');
  } catch (error) {
    throw unreachable(`${host}:${port} could not be reached`, error, signal);
  }
}

export async function startTls(
  socket: Socket,
  host: string,
  route: Route,
  signal: AbortSignal,
): Promise<Socket> {
  try {
    const ca = route.roots === undefined ? {} : { ca: route.roots };
    const secure = connectTls({ socket, host, servername: /^[\d.]+$|:/.test(host) ? '' : host, ...ca });
    signal.addEventListener('abort', () => secure.destroy(), { once: true });
    return await opened(secure, 'secureConnect');
  } catch (error) {
    throw unreachable(`${host} could not be spoken to with TLS`, error, signal);
  }
}

function unreachable(what: string, cause: unknown, signal: AbortSignal): GatewayError {
  const code = signal.aborted ? 'Aborted' : 'Unreachable';
  return new GatewayError(`${what}: ${messageOf(cause)}`, { code, cause });
}

async function allowed(
  host: string,
  mayReach: (address: string) => boolean,
  signal: AbortSignal,
): Promise<string> {
  const addresses = isIP(host) === 0 ? await resolveHost(host, signal) : [host];
  const found = addresses?.find(mayReach);
  if (found !== undefined) return found;
  throw new Error(addresses === undefined ? 'its name is not known' : 'it has no public address');
}

function throughTor(host: string, port: number, path: string, signal: AbortSignal): Promise<Socket> {
  // `path` wins over the proxy's host and port: the connection goes to tor's unix socket.
  const agent = new SocksProxyAgent(`socks5h://${ISOLATION}@tor`, { socketOptions: { path } as never });
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  // It asks of a request only that it can be told things.
  const listener = new EventEmitter() as ClientRequest;
  agent.connect(listener, { host, port, secureEndpoint: false }).then(resolve, reject);
  return promise;
}

function opened<Kind extends Socket>(socket: Kind, event: string): Promise<Kind> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once(event, () => {
      socket.off('error', reject);
      // Whoever reads notices the end; an error that comes when nobody does must not end the daemon.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}
