import { createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';
import { formatEndpoint } from '../core/inet.ts';
import type { Log } from '../core/ports.ts';
import { HOLD_KEEPALIVE_MS, MAX_QUESTION_BYTES } from '../core/relay.ts';
import type { Answerer, Answered, Asker } from './answer.ts';
import { sourceOf } from './allowance.ts';
import type { HomeWatcher } from './home-watch.ts';
import type { Identity } from './identity.ts';

export interface ListenOptions {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly identity: Identity;
  readonly answerer: Answerer;
  readonly watcher: HomeWatcher;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const MAX_CONNECTIONS = 128;
const MAX_OF_ONE_SOURCE = 8;
/** One for each home; they do not count above. */
const MAX_HELD = 1024;
/** From the first packet to the last byte of the question; the answer may then take as long as a dial-back. */
const QUESTION_MS = 5000;
const WHOLE_MS = 15_000;

/** Listens on each address until the signal aborts. Rejects when an address or port cannot be had. */
export async function listen(options: ListenOptions): Promise<Server[]> {
  const context = createSecureContext({
    key: options.identity.pem,
    cert: options.identity.pem,
    minVersion: 'TLSv1.3',
  });
  const doors = new Doors(options, context);
  const servers: Server[] = [];
  try {
    for (const address of options.addresses) {
      const server = createServer((socket) => doors.open(socket));
      servers.push(server);
      await listening(server, address, options.port);
    }
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
  const close = (): void => {
    for (const server of servers) server.close();
    doors.close();
  };
  options.signal.addEventListener('abort', close, { once: true });
  return servers;
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const isTaken = errnoOf(cause) === 'EADDRINUSE';
      reject(
        new GatewayError(
          `the relay cannot listen on ${formatEndpoint({ host, port })}: ${messageOf(cause)}`,
          {
            code: isTaken ? 'PortInUse' : 'PermissionDenied',
            hint: 'choose an address of this machine and a port that is free: --listen ADDRESS:PORT',
            cause,
          },
        ),
      );
    });
    server.listen({ host, port, ipv6Only: true }, resolve);
  });
}

/** One question, one answer, then the connection ends, unless it is to be held; whoever is slow, large or many is cut. */
class Doors {
  readonly #options: ListenOptions;
  readonly #context: SecureContext;
  readonly #open = new Set<Socket>();
  readonly #ofSource = new Map<string, number>();
  /** By home. */
  readonly #held = new Map<string, Socket>();

  constructor(options: ListenOptions, context: SecureContext) {
    this.#options = options;
    this.#context = context;
  }

  open(socket: Socket): void {
    const asker = askerOf(socket);
    if (asker === undefined || !this.#hasRoom(asker)) {
      socket.destroy();
      return;
    }
    const leave = this.#count(asker, socket);
    const stop = new AbortController();
    const late = setTimeout(() => socket.destroy(), QUESTION_MS);
    const over = setTimeout(() => socket.destroy(), WHOLE_MS);
    socket.on('close', () => {
      clearTimeout(late);
      clearTimeout(over);
      stop.abort();
    });
    const secure = new TLSSocket(socket, { isServer: true, secureContext: this.#context });
    // Whoever knocks with something else, or goes away, is no event of ours.
    const dropped = (error: Error): void => {
      this.#options.log('debug', 'a connection ended', { source: asker.source, why: error.message });
      socket.destroy();
    };
    secure.on('error', dropped);
    socket.on('error', dropped);
    let text = '';
    secure.setEncoding('latin1');
    secure.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_QUESTION_BYTES) return socket.destroy();
      const end = text.indexOf('\n');
      if (end < 0) return undefined;
      secure.removeAllListeners('data');
      clearTimeout(late);
      const question = Buffer.from(text.slice(0, end), 'latin1').toString();
      const hold = (home: string): void => {
        clearTimeout(over);
        leave();
        this.#hold(home, secure, socket);
      };
      this.#answer(secure, question, asker, stop.signal, hold);
      return undefined;
    });
  }

  /** The newest connection of a home counts: the one before may be of an address that it has no more. */
  #hold(home: string, secure: TLSSocket, socket: Socket): void {
    this.#held.get(home)?.destroy();
    if (this.#held.size >= MAX_HELD) return void socket.destroy();
    this.#held.set(home, socket);
    this.#options.watcher.held(home, true);
    socket.setKeepAlive(true, HOLD_KEEPALIVE_MS);
    // Nothing more is to be said.
    secure.on('data', () => socket.destroy());
    socket.on('close', () => {
      if (this.#held.get(home) !== socket) return;
      this.#held.delete(home);
      this.#options.watcher.held(home, false);
    });
  }

  close(): void {
    for (const socket of [...this.#open, ...this.#held.values()]) socket.destroy();
  }

  #answer(
    secure: TLSSocket,
    text: string,
    asker: Asker,
    signal: AbortSignal,
    hold: (home: string) => void,
  ): void {
    const { answerer, log } = this.#options;
    const finish = (answered: Answered): void => {
      const { holds, ...told } = { holds: undefined, ...answered };
      const line = `${JSON.stringify(told)}\n`;
      if (holds === undefined) return void secure.end(line);
      secure.write(line);
      return hold(holds);
    };
    answerer.answer(text, asker, signal).then(finish, (error: unknown) => {
      if (signal.aborted) return;
      log('error', 'a question could not be answered', { why: messageOf(error) });
      finish({ ok: false, failure: 'failed', message: 'the relay could not do it; see its log' });
    });
  }

  #hasRoom({ source }: Asker): boolean {
    const mine = this.#ofSource.get(sourceOf(source)) ?? 0;
    const isFree = this.#open.size < MAX_CONNECTIONS && mine < MAX_OF_ONE_SOURCE;
    return isFree && this.#options.answerer.isWelcome(source);
  }

  /** Until it closes, or what is returned is called. */
  #count({ source }: Asker, socket: Socket): () => void {
    const key = sourceOf(source);
    this.#open.add(socket);
    this.#ofSource.set(key, (this.#ofSource.get(key) ?? 0) + 1);
    const leave = (): void => {
      if (!this.#open.delete(socket)) return;
      const left = (this.#ofSource.get(key) ?? 1) - 1;
      if (left > 0) this.#ofSource.set(key, left);
      else this.#ofSource.delete(key);
    };
    socket.on('close', leave);
    return leave;
  }
}

function askerOf({ remoteAddress, localAddress }: Socket): Asker | undefined {
  if (remoteAddress === undefined || localAddress === undefined) return undefined;
  return { source: plainAddress(remoteAddress), contacted: plainAddress(localAddress) };
}

function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
}
