import { createSocket, type Socket } from 'node:dgram';
import { messageOf } from '../../core/errors.ts';
import type { LeaseCheck } from '../../core/mapping.ts';
import type { Log } from '../../core/ports.ts';
import { isGatewayDevice, parseSsdp, SSDP_GROUP, SSDP_PORT } from '../../wire/ssdp.ts';

/**
 * UPnP routers say by multicast that they are there, and with which BOOTID, which is another after each restart (UDA 1.1,
 * 1.2.2). What they say only makes us look; nothing that it names is opened.
 */
export class SsdpAnnouncements {
  readonly #heard: (router: string, said: LeaseCheck) => void;
  readonly #log: Log;
  #socket: Socket | undefined;

  constructor(heard: (router: string, said: LeaseCheck) => void, log: Log) {
    this.#heard = heard;
    this.#log = log;
  }

  /** Listens on the network of `address`; the network before is left. The port is shared with others who listen. */
  listen(address: string): void {
    this.close();
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    this.#socket = socket;
    socket.unref();
    const giveUp = (error: unknown): void => {
      this.#log('warn', 'UPnP announcements of the router are not heard', { error: messageOf(error) });
      this.close();
    };
    socket.on('error', giveUp);
    socket.on('message', (text, from) => {
      const said = checkOf(text.toString('latin1'));
      if (said !== undefined) this.#heard(from.address, said);
    });
    // Bound to the group, so that questions and answers of others on this port stay theirs.
    socket.bind(SSDP_PORT, SSDP_GROUP, () => {
      try {
        socket.addMembership(SSDP_GROUP, address);
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

/**
 * The same mark as a driver's: the device's name and its BOOTID. Of the router itself only: the devices in it have names of
 * their own, and announce themselves too.
 */
function checkOf(text: string): LeaseCheck | undefined {
  const message = parseSsdp(text);
  if (message === undefined || message.kind === 'answer' || !isGatewayDevice(message.target))
    return undefined;
  const device = message.usn.split('::', 1)[0] ?? '';
  return message.bootId === undefined ? undefined : { mark: { bootId: `${device}#${message.bootId}` } };
}
