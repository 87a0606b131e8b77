import { constants } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { fileError } from '../system/files.ts';
import type { UserIds } from './environment.ts';

/**
 * Directories of the data path's users, made by root inside directories that the daemon's user may write. Links are
 * never followed: nobody but root decides where root writes.
 */
export async function ensureOwned(path: string, owner: UserIds, mode: number): Promise<void> {
  await (await openOwned(path, owner, mode)).close();
}

/** Opens a directory, made when absent, that is certainly not a link and belongs to `owner` (or to us: half made). */
export async function openOwned(path: string, owner: UserIds, mode: number): Promise<FileHandle> {
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

const MAX_BYTES = 1024 * 1024;

/** A small ordinary file, or `undefined`. What lies in a directory of another user may be a link or a pipe. */
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
