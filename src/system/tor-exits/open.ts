import { EventEmitter } from 'node:events';
import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { SocksProxyAgent } from 'socks-proxy-agent';
import type { ExitTarget } from '../../core/exits.ts';

/** SOCKS credentials: streams with others never share a circuit (IsolateSOCKSAuth, tor's default). */
export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface OpenOptions {
  readonly socksSocket: string;
  readonly login: Login;
  readonly timeoutMs: number;
}

/** A stream to the target, as raw bytes. Rejects with whatever the library says, or the reason of the signal. */
export function openThroughTor(
  { host, port }: ExitTarget,
  { socksSocket, login, timeoutMs }: OpenOptions,
  signal: AbortSignal,
): Promise<Socket> {
  // `path` wins over host and port: the connection goes to tor's unix socket.
  const socketOptions = { path: socksSocket, noDelay: true };
  const agent = new SocksProxyAgent(`socks5h://${login.user}:${login.password}@tor`, {
    timeout: timeoutMs,
    socketOptions,
  });
  // The agent tells a request that it is on its way; no HTTP is spoken here.
  const nobody = new EventEmitter() as ClientRequest;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) return abort();
    const opened = (socket: Socket): void => {
      signal.removeEventListener('abort', abort);
      if (signal.aborted) {
        socket.destroy();
        return;
      }
      // From here on whoever asked counts the time.
      socket.setTimeout(0);
      resolve(socket);
    };
    agent.connect(nobody, { host, port, secureEndpoint: false }).then(opened, reject);
    return undefined;
  });
}
