import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { errnoOf, messageOf } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import {
  MAX_WALK_FLOWS,
  WALK_PORT,
  type RelayWalked,
  type WalkQuestion,
  type WalkSend,
} from '../core/relay-walk.ts';
import { encodeWalk, parseWalk } from '../wire/walk.ts';
import { Allowance } from './allowance.ts';
import type { Asker } from './answer.ts';

export interface WalksOptions {
  /** Told to homes. */
  readonly stunPort: number | null;
  readonly addresses: readonly string[];
  readonly now: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Thirty-two flows, each kept alive every few seconds, and all at once at the end. */
const SENDS = { burst: 300, refillMs: 50 };
/** Longer than the longest examination. */
const SESSION_MS = 420_000;
const MAX_SESSIONS = 64;

interface Session {
  readonly id: string;
  readonly home: string;
  /** The only address that it is listened to from, and spoken to. */
  readonly source: string;
  readonly contacted: string;
  readonly untilMs: number;
  readonly heard: Map<number, number>;
}

/** What a relay does for homes that look where state is kept on the way. One session for each home. */
export class Walks {
  readonly #options: WalksOptions;
  readonly #doors: ReadonlyMap<string, Door>;
  readonly #sends: Allowance;
  /** By home. */
  readonly #sessions = new Map<string, Session>();

  private constructor(options: WalksOptions, doors: ReadonlyMap<string, Door>) {
    this.#options = options;
    this.#doors = doors;
    this.#sends = new Allowance(SENDS, options.now);
  }

  /** `undefined` when a port cannot be had: the relay does the rest of its work. */
  static async open(options: WalksOptions): Promise<Walks | undefined> {
    const doors = new Map<string, Door>();
    const walks = new Walks(options, doors);
    const close = (): void => doors.forEach((door) => door.close());
    try {
      for (const address of options.addresses.filter((one) => isIP(one) === 4)) {
        doors.set(address, await Door.open(address, (bytes, from) => walks.#hear(address, bytes, from)));
      }
    } catch (error) {
      options.log('warn', 'nobody is helped to find NATs: a port is taken', { why: messageOf(error) });
      close();
      return undefined;
    }
    if (options.signal.aborted) close();
    else options.signal.addEventListener('abort', close, { once: true });
    return walks;
  }

  /** `undefined`: it asked over IPv6, or for a session that is over. `busy`: it had sent enough for now. */
  answer(home: string, { session: id, sends }: WalkQuestion, asker: Asker): RelayWalked | 'busy' | undefined {
    if (!this.#doors.has(asker.contacted) || isIP(asker.source) !== 4) return undefined;
    const session = id === undefined ? this.#begin(home, asker) : this.#known(home, id, asker);
    if (session === undefined) return undefined;
    const other = [...this.#doors.keys()].find((address) => address !== session.contacted) ?? null;
    for (const send of sends) {
      if (!this.#sends.take(home)) return 'busy';
      this.#send(session, send, other);
    }
    const heard = [...session.heard];
    const { stunPort } = this.#options;
    return { session: session.id, port: WALK_PORT, address: session.contacted, other, stunPort, heard };
  }

  #begin(home: string, { source, contacted }: Asker): Session | undefined {
    const { now, log } = this.#options;
    this.#sessions.delete(home);
    for (const [key, { untilMs }] of this.#sessions) if (untilMs < now()) this.#sessions.delete(key);
    if (this.#sessions.size >= MAX_SESSIONS) return undefined;
    const id = randomBytes(16).toString('hex');
    const session = { id, home, source, contacted, untilMs: now() + SESSION_MS, heard: new Map() };
    this.#sessions.set(home, session);
    log('info', 'a home looks for NATs', { home, source });
    return session;
  }

  #known(home: string, id: string, { source }: Asker): Session | undefined {
    const session = this.#sessions.get(home);
    const isIt = session?.id === id && session.source === source && session.untilMs >= this.#options.now();
    return isIt ? session : undefined;
  }

  /** What comes to another of our addresses only opens the way back from there: it may have another port. */
  #hear(at: string, bytes: Uint8Array, from: Target): void {
    const packet = parseWalk(bytes);
    if (packet === undefined || packet.flow >= MAX_WALK_FLOWS) return;
    const session = [...this.#sessions.values()].find(({ id }) => id === packet.session);
    // A source may be forged: only the address that asked over TLS counts.
    if (session?.source !== from.address || session.contacted !== at) return;
    session.heard.set(packet.flow, from.port);
  }

  #send(session: Session, [flow, ttl, kind]: WalkSend, other: string | null): void {
    const port = session.heard.get(flow);
    const door = this.#doors.get(kind === 'open' ? (other ?? '') : session.contacted);
    if (port === undefined || door === undefined) return;
    door.send(
      encodeWalk({ session: session.id, flow, kind }),
      { port, address: session.source },
      ttl,
      (why) => this.#options.log('debug', 'a datagram of a walk was not sent', { home: session.home, why }),
    );
  }
}

interface Target {
  readonly port: number;
  readonly address: string;
}

/** A socket whose packets each have a time to live of their own: one at a time. */
class Door {
  readonly #socket: Socket;
  #last: Promise<void> = Promise.resolve();

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static open(address: string, hear: (bytes: Uint8Array, from: Target) => void): Promise<Door> {
    const socket = createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(error);
      });
      socket.bind({ address, port: WALK_PORT, exclusive: true }, () => {
        // What routers said to earlier packets; whose time to live ends says so to nobody.
        socket.removeAllListeners('error').on('error', () => undefined);
        socket.on('message', hear);
        resolve(new Door(socket));
      });
    });
  }

  send(bytes: Uint8Array, { port, address }: Target, ttl: number, failed: (why: string) => void): void {
    this.#last = this.#last.then(
      () =>
        new Promise((resolve) => {
          try {
            this.#socket.setTTL(ttl);
            this.#socket.send(bytes, port, address, (error) => {
              if (error !== null) failed(error.message);
              resolve();
            });
          } catch (error) {
            // Closed meanwhile: the relay ends.
            failed(errnoOf(error) ?? messageOf(error));
            resolve();
          }
        }),
    );
  }

  close(): void {
    this.#socket.close();
  }
}
