import { createSocket, type Socket } from 'node:dgram';
import { messageOf } from '../../core/errors.ts';
import { isRouterAddress, type LeaseCheck } from '../../core/mapping.ts';
import type { Log } from '../../core/ports.ts';
import { parseNatPmpAnswer } from '../../wire/nat-pmp.ts';
import { ANNOUNCE_GROUP, ANNOUNCE_PORT, parsePcpAnswer } from '../../wire/pcp.ts';

/**
 * Routers say by multicast that they restarted (RFC 6887 14.1.3) or have another address (RFC 6886 3.2.1). What they say
 * only makes us look; anybody in the network can say it in their name, so it is heard once in a while.
 */
export class Announcements {
  readonly #heard: (router: string, said: LeaseCheck) => void;
  readonly #log: Log;
  #socket: Socket | undefined;

  constructor(heard: (router: string, said: LeaseCheck) => void, log: Log) {
    this.#heard = heard;
    this.#log = log;
  }

  /** Listens on the network of `address`; the network before is left. */
  listen(address: string): void {
    this.close();
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    this.#socket = socket;
    socket.unref();
    socket.on('error', (error) => {
      this.#log('warn', 'announcements of the router are not heard', { error: messageOf(error) });
      this.close();
    });
    socket.on('message', (bytes, from) => {
      const said = checkOf(bytes);
      if (said !== undefined) this.#heard(from.address, said);
    });
    socket.bind(ANNOUNCE_PORT, () => {
      try {
        socket.addMembership(ANNOUNCE_GROUP, address);
      } catch (error) {
        this.#log('warn', 'announcements of the router are not heard', { error: messageOf(error) });
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

function checkOf(bytes: Uint8Array): LeaseCheck | undefined {
  const pcp = parsePcpAnswer(bytes);
  if (pcp?.type === 'announce' && pcp.result === 0) return { mark: { epochSeconds: pcp.epochSeconds } };
  const natPmp = parseNatPmpAnswer(bytes);
  if (natPmp?.type !== 'address' || natPmp.result !== 0) return undefined;
  const { address: externalAddress, epochSeconds } = natPmp;
  return { mark: { epochSeconds }, ...(isRouterAddress(externalAddress) ? { externalAddress } : {}) };
}
