import { constants } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { fileError } from '../system/files.ts';
import type { HelperEnvironment, UserIds } from './environment.ts';
import type { TorrcPlace } from './torrc.ts';

/**
 * The state directory belongs to the daemon's user, who must not be able to lead root elsewhere by a link. So everything
 * below `tor/` is reached through an open descriptor of it, and it and `onions/` belong to root: nobody else can
 * exchange what lies in them.
 *
 *   tor/            root    0750   torrc, torrc-defaults, tor.log, <service>.json inside onions/
 *   tor/data/       tor     0700   tor's own
 *   tor/onions/     root    0750
 *   tor/onions/shop tor     0700   HiddenServiceDir
 */
export interface TorDirectory {
  /** `/proc/self/fd/N`: only for our own process. */
  readonly base: string;
  readonly onions: string;
}

export async function inTorDirectory<Result>(
  environment: HelperEnvironment,
  work: (directory: TorDirectory) => Promise<Result>,
): Promise<Result> {
  const { paths, tor } = environment;
  const root = { uid: process.getuid?.() ?? 0, gid: tor.gid };
  const top = await openOwned(paths.torState, root, 0o750);
  try {
    const base = `/proc/self/fd/${top.fd}`;
    await ensureOwned(join(base, 'data'), tor, 0o700);
    await ensureOwned(join(base, 'onions'), root, 0o750);
    return await work({ base, onions: join(base, 'onions') });
  } finally {
    await top.close();
  }
}

/** Makes the directory of tor's sockets, which the daemon may enter by its group. */
export function ensureRunDirectory({ paths, tor }: HelperEnvironment): Promise<void> {
  return ensureOwned(paths.torRun, tor, 0o750);
}

export async function ensureOwned(path: string, owner: UserIds, mode: number): Promise<void> {
  await (await openOwned(path, owner, mode)).close();
}

/** Opens a directory, made when absent, that is certainly not a link and belongs to `owner` (or to us: half made). */
async function openOwned(path: string, owner: UserIds, mode: number): Promise<FileHandle> {
  let handle: FileHandle | undefined;
  try {
    await mkdir(path, { mode: 0o700 }).catch(ignoreExisting);
    handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    const { uid } = await handle.stat();
    if (uid !== owner.uid && uid !== process.getuid?.()) throw foreign(path, uid);
    await handle.chown(owner.uid, owner.gid);
    await handle.chmod(mode);
    return handle;
  } catch (error) {
    await handle?.close();
    throw fileError(`the directory ${path} could not be made`, error);
  }
}

function ignoreExisting(error: unknown): void {
  if (errnoOf(error) !== 'EEXIST') throw error;
}

function foreign(path: string, uid: number): GatewayError {
  return new GatewayError(`${path} belongs to user ${uid}, who must not own it`, {
    code: 'PermissionDenied',
    retry: 'when-changed',
    hint: `move ${path} away; it is made anew`,
  });
}

/** Paths as tor's own process sees them. */
export function torrcPlace({ paths }: HelperEnvironment): TorrcPlace {
  return {
    dataDirectory: join(paths.torState, 'data'),
    pidFile: paths.torPid,
    controlSocket: paths.torControl,
    socksSocket: paths.torSocks,
    onionDirectory: (service) => join(paths.torState, 'onions', service),
  };
}

const MAX_BYTES = 1024 * 1024;

/** A small ordinary file, or `undefined`. What lies in a directory of tor's user may be a link or a pipe. */
export async function readPlain(path: string): Promise<Buffer | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = await handle.stat();
    return stat.isFile() && stat.size <= MAX_BYTES ? await handle.readFile() : undefined;
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw fileError(`${path} could not be read`, error);
  } finally {
    await handle?.close();
  }
}
