import { createSocket, type Socket } from 'node:dgram';
import { messageOf } from '../../core/errors.ts';
import type { LeaseCheck } from '../../core/mapping.ts';
import type { Log } from '../../core/ports.ts';

/** One way in which routers say by multicast that they restarted, or have another address. */
export interface AnnouncementKind {
  /** For the log: 'announcements'. */
  readonly name: string;
  readonly group: string;
  readonly port: number;
  /** The group, where questions and answers of others on this port are to stay theirs; left out: every address. */
  readonly bindTo?: string;
  /** What one says; `undefined` when it is none. Hostile. */
  readonly read: (bytes: Buffer) => LeaseCheck | undefined;
}

/**
 * Hears what routers announce. It only makes us look, and nothing that it names is opened: anybody in the network can say
 * it in their name, so it is heard once in a while. The port is shared with others who listen.
 */
export class Announcements {
  readonly #kind: AnnouncementKind;
  readonly #heard: (router: string, said: LeaseCheck) => void;
  readonly #log: Log;
  #socket: Socket | undefined;

  constructor(kind: AnnouncementKind, heard: (router: string, said: LeaseCheck) => void, log: Log) {
    this.#kind = kind;
    this.#heard = heard;
    this.#log = log;
  }

  /** Listens on the network of `address`, or of an interface (`::%eth0`, IPv6); the network before is left. */
  listen(address: string): void {
    this.close();
    const { name, group, port, bindTo, read } = this.#kind;
    const isSix = group.includes(':');
    const socket = createSocket({ type: isSix ? 'udp6' : 'udp4', reuseAddr: true, ipv6Only: isSix });
    this.#socket = socket;
    socket.unref();
    const giveUp = (error: unknown): void => {
      this.#log('warn', `${name} of the router are not heard`, { error: messageOf(error) });
      this.close();
    };
    socket.on('error', giveUp);
    socket.on('message', (bytes, from) => {
      const said = read(bytes);
      if (said !== undefined) this.#heard(from.address, said);
    });
    socket.bind({ port, ...(bindTo === undefined ? {} : { address: bindTo }) }, () => {
      try {
        socket.addMembership(group, address);
      } catch (error) {
        giveUp(error);
      }
    });
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.removeAllListeners().on('error', () => undefined);
    socket.close();
  }
}
