import { lstat, readFile, readlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { errnoOf } from '../core/errors.ts';
import { directoriesIn, pathsOf } from '../system/directories.ts';

export interface FoundSocket {
  readonly socket: string;
  /** `--root` of the gateway that listens there. */
  readonly root: string | undefined;
  readonly isDemo: boolean;
}

/** Which gateway a command talks to: the one that was named, else the machine's, else a demo of the same user. */
export async function findSocket(
  typed: {
    readonly root: string | undefined;
    readonly socket: string | undefined;
    /** A demo's is taken only within its own network. */
    readonly isHere?: boolean;
  },
  environment: NodeJS.ProcessEnv,
  uid: number,
): Promise<FoundSocket> {
  const { root, socket, isHere = false } = typed;
  if (socket !== undefined) return { socket, root, isDemo: false };
  const usual = { socket: pathsOf(directoriesIn(root)).apiSocket, root, isDemo: false };
  if (root !== undefined || (await isSocket(usual.socket))) return usual;
  return (await findDemo(environment, uid, isHere)) ?? usual;
}

/** Which network a process is in, as /proc tells it: `net:[4026531840]`. */
export const OWN_NETWORK = '/proc/self/ns/net';

/** What `gateway demo` writes for other terminals. */
export interface DemoRecord {
  readonly socket: string;
  readonly root: string;
  /** That of its home, as OWN_NETWORK says it there. */
  readonly network: string;
}

/** Where `gateway demo` writes which socket it listens on. */
export function demoRecordFile(environment: NodeJS.ProcessEnv, uid: number): string {
  return join(environment['XDG_RUNTIME_DIR'] ?? '/tmp', `gateway-demo-${uid}`, 'current.json');
}

async function findDemo(
  environment: NodeJS.ProcessEnv,
  uid: number,
  isHere: boolean,
): Promise<FoundSocket | undefined> {
  const file = demoRecordFile(environment, uid);
  if (!(await isOnlyOurs(dirname(file), uid))) return undefined;
  const record = parseRecord(await read(file));
  if (record === undefined || !(await isAnswered(record.socket))) return undefined;
  if (isHere && record.network !== (await readlink(OWN_NETWORK))) return undefined;
  return { socket: record.socket, root: record.root, isDemo: true };
}

/** Anybody may make a directory in /tmp: what others could have written is not believed. */
async function isOnlyOurs(directory: string, uid: number): Promise<boolean> {
  const stats = await statOf(directory);
  return stats !== undefined && stats.isDirectory() && stats.uid === uid && (stats.mode & 0o022) === 0;
}

async function isSocket(path: string): Promise<boolean> {
  return (await statOf(path))?.isSocket() === true;
}

/** A demo that was killed leaves its socket file behind. */
export function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.on('connect', () => {
    socket.destroy();
    resolve(true);
  });
  socket.on('error', () => resolve(false));
  return promise;
}

async function statOf(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    // EACCES: it may well be there; connecting will say so in better words.
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'null';
    throw error;
  }
}

/** `undefined` for a record that is not (or not yet) whole. */
function parseRecord(text: string): DemoRecord | undefined {
  const match = /^\s*\{/.test(text) && text.trimEnd().endsWith('}') ? (JSON.parse(text) as unknown) : null;
  if (typeof match !== 'object' || match === null) return undefined;
  const { socket, root, network } = match as Record<string, unknown>;
  const isWhole = [socket, root, network].every((value) => typeof value === 'string');
  return isWhole ? (match as DemoRecord) : undefined;
}
