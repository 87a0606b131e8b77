import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import { parseStunRequest, renderStunAnswer, renderStunError, type StunAddress } from '../wire/stun.ts';
import { Allowance, sourceOf } from './allowance.ts';

export interface StunOptions {
  readonly addresses: readonly string[];
  readonly now: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export const STUN_PORT = 3478;
const OTHER_PORT = 3479;
/** An answer is larger than its question, and who asks cannot be known: so few that nobody is hurt by a forged source. */
const ANSWERS = { burst: 20, refillMs: 1000 };

interface Door {
  readonly at: StunAddress;
  readonly socket: Socket;
}

/**
 * STUN on two ports of each address, with the tests of RFC 5780 where there are two addresses of a family. Resolves with
 * false when a port cannot be had: the relay then does the rest of its work.
 */
export async function serveStun(options: StunOptions): Promise<boolean> {
  const { addresses, log, now, signal } = options;
  const doors: Door[] = [];
  const close = (): void => doors.forEach(({ socket }) => socket.close());
  const allowance = new Allowance(ANSWERS, now);
  try {
    for (const host of addresses) {
      for (const port of [STUN_PORT, OTHER_PORT]) doors.push(await open({ host, port }));
    }
  } catch (error) {
    log('warn', 'no STUN here: a port is taken', { why: messageOf(error) });
    close();
    return false;
  }
  for (const door of doors) {
    door.socket.on('error', (error) => log('debug', 'a STUN answer was not sent', { why: error.message }));
    door.socket.on('message', (data, { address, port }) => {
      if (allowance.take(sourceOf(address))) answer(door, doors, data, { host: address, port });
    });
  }
  if (signal.aborted) close();
  else signal.addEventListener('abort', close, { once: true });
  return true;
}

function open(at: StunAddress): Promise<Door> {
  const socket = createSocket({ type: isIP(at.host) === 6 ? 'udp6' : 'udp4', ipv6Only: isIP(at.host) === 6 });
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address: at.host, port: at.port, exclusive: true }, () => {
      socket.removeAllListeners('error');
      resolve({ at, socket });
    });
  });
}

function answer(door: Door, doors: readonly Door[], data: Uint8Array, mapped: StunAddress): void {
  const request = parseStunRequest(data);
  if (request === undefined) return;
  const { at } = door;
  const otherPort = at.port === STUN_PORT ? OTHER_PORT : STUN_PORT;
  const otherHost = doors.find((one) => isIP(one.at.host) === isIP(at.host) && one.at.host !== at.host)?.at
    .host;
  const from = {
    host: request.changeAddress ? otherHost : at.host,
    port: request.changePort ? otherPort : at.port,
  };
  const by = doors.find((one) => one.at.host === from.host && one.at.port === from.port);
  const { transaction } = request;
  const other = otherHost === undefined ? undefined : { host: otherHost, port: otherPort };
  if (by === undefined) door.socket.send(renderStunError(request), mapped.port, mapped.host);
  else
    by.socket.send(renderStunAnswer({ transaction, mapped, origin: by.at, other }), mapped.port, mapped.host);
}
