import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../core/errors.ts';
import type { Listener } from '../core/namespace-operations.ts';
import { fileError } from '../system/files.ts';

/** What the kernel tells of other namespaces by the processes that live in them: no program need be started there. */

/** It has ended (or is a zombie); or belongs to a user that even root may not look at, in a lab without root. */
const HIDDEN: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL']);

/** Processes by the kernel's number of their network namespace. */
export function processesByNamespace(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const number = unlessHidden(`/proc/${pid}/ns/net`, readlinkSync)?.slice('net:['.length, -1);
    if (number === undefined) continue;
    const others = found.get(number);
    if (others === undefined) found.set(number, [pid]);
    else others.push(pid);
  }
  return found;
}

/** TCP sockets that listen where one of these processes lives; `undefined` when none can be asked any more. */
export function listenersSeenBy(pids: readonly string[]): Listener[] | undefined {
  for (const pid of pids) {
    const tcp = unlessHidden(`/proc/${pid}/net/tcp`, readText);
    if (tcp === undefined) continue;
    // A kernel without IPv6 has no such table.
    return [tcp, unlessHidden(`/proc/${pid}/net/tcp6`, readText) ?? ''].flatMap(parseTable);
  }
  return undefined;
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

/** The kernel answers at once; going through the thread pool would cost ten times as much. */
function unlessHidden(path: string, read: (path: string) => string): string | undefined {
  try {
    return read(path);
  } catch (error) {
    if (HIDDEN.has(errnoOf(error))) return undefined;
    throw fileError(`${path} could not be read`, error);
  }
}

/** TCP_LISTEN of linux/include/net/tcp_states.h */
const LISTEN = '0A';

/** proc_net(5): `0: 0100007F:0051 00000000:0000 0A …`; addresses as the machine's own words, in hexadecimal. */
export function parseTable(text: string): Listener[] {
  return text.split('\n').flatMap((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    const match = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local ?? '');
    if (state !== LISTEN || match?.[1] === undefined) return [];
    return [{ address: addressFrom(match[1]), port: Number.parseInt(match[2] ?? '', 16) }];
  });
}

function addressFrom(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  // Every machine that we run on is little-endian.
  const bytes = words.flatMap((word) => [...Buffer.from(word, 'hex')].toReversed());
  if (bytes.length === 4) return bytes.join('.');
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (isMapped) return bytes.slice(12).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => Buffer.from(bytes).readUInt16BE(index * 2));
  const full = groups.map((group) => group.toString(16)).join(':');
  return new URL(`http://[${full}]`).hostname.slice(1, -1);
}

/** TCP_TIME_WAIT */
const TIME_WAIT = '06';

/** Connections of a user, in our own namespace, to one address: what has begun and is not over. */
export function countConnections(uid: number, to: { readonly host: string; readonly port: number }): number {
  const tables = ['/proc/self/net/tcp', '/proc/self/net/tcp6'].map(
    (path) => unlessHidden(path, readText) ?? '',
  );
  return tables
    .flatMap((text) => text.split('\n'))
    .filter((line) => {
      const [, , remote = '', state, , , , owner] = line.trim().split(/\s+/);
      const [address = '', port = ''] = remote.split(':');
      if (state === TIME_WAIT || Number(owner) !== uid || Number.parseInt(port, 16) !== to.port) return false;
      return addressFrom(address) === to.host;
    }).length;
}

/** SS_CONNECTED of linux/include/uapi/linux/net.h */
const CONNECTED = '03';

/** Connections to a unix socket in our own namespace that HAProxy listens on; it binds another name, then renames. */
export function countUnixConnections(path: string): number {
  return parseUnixTable(unlessHidden('/proc/self/net/unix', readText) ?? '').filter(
    (bound) =>
      bound === path || (bound.startsWith(`${path}.`) && /^\d+\.tmp$/.test(bound.slice(path.length + 1))),
  ).length;
}

/** Names of the sockets that are connected, as they were bound: `…: 00000003 0 0 0001 03 1234 /run/x.sock`. */
export function parseUnixTable(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [, , , , , state, , name] = line.trim().split(/\s+/);
    return state === CONNECTED && name !== undefined ? [name] : [];
  });
}
