import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readFile, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, GatewayError, type ErrorCode } from '../core/errors.ts';

export interface WriteOptions {
  /** Exact, whatever the umask says: 0o600. */
  readonly mode: number;
  /** Only root may give a file away. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * Replaces a file so that after a crash or power cut there is the old content or the new, never a mixture, and
 * resolves only when the new content would survive one. When it fails the old file is untouched.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: WriteOptions,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await writeSynced(temporary, typeof data === 'string' ? Buffer.from(data) : data, options);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await unlink(temporary).catch(ignoreMissing);
    throw fileError(`${path} could not be written`, error);
  }
}

async function writeSynced(path: string, data: Uint8Array, options: WriteOptions): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o600);
  try {
    await writeAll(file, data);
    if (options.owner !== undefined) await file.chown(options.owner.uid, options.owner.gid);
    await file.chmod(options.mode);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** `write` may store less than it was given (a disk that fills up does so once before it says ENOSPC). */
async function writeAll(file: FileHandle, data: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < data.length) {
    const { bytesWritten } = await file.write(data, offset, data.length - offset);
    if (bytesWritten === 0) throw Object.assign(new Error('nothing was written'), { code: 'EIO' });
    offset += bytesWritten;
  }
}

/** A rename is durable only when its directory is. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** `undefined` when there is no such file. */
export async function readFileIfExists(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw fileError(`${path} could not be read`, error);
  }
}

/** `true` when a file was there. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw fileError(`${path} could not be removed`, error);
  }
}

const MEANINGS: Readonly<
  Record<string, { readonly code: ErrorCode; readonly why: string; readonly hint: string }>
> = {
  ENOSPC: { code: 'DiskFull', why: 'the disk is full', hint: 'free some space; it is tried again' },
  EDQUOT: { code: 'DiskFull', why: 'the disk quota is used up', hint: 'free some space; it is tried again' },
  EROFS: {
    code: 'DiskFailed',
    why: 'the disk is read-only',
    hint: 'look at dmesg: a disk that fails becomes read-only',
  },
  EIO: {
    code: 'DiskFailed',
    why: 'the disk reports an error',
    hint: 'look at dmesg; make a backup while it still reads',
  },
  EACCES: {
    code: 'PermissionDenied',
    why: 'access is denied',
    hint: 'check the owner of the file and its directory',
  },
  EPERM: {
    code: 'PermissionDenied',
    why: 'access is denied',
    hint: 'check the owner of the file and its directory',
  },
};

/** Translates what a file operation threw; errors of ours pass. */
export function fileError(message: string, cause: unknown): unknown {
  if (cause instanceof GatewayError) return cause;
  const errno = errnoOf(cause);
  if (errno === undefined) return cause;
  const meaning = MEANINGS[errno];
  if (meaning === undefined) return new GatewayError(`${message}: ${errno}`, { code: 'DiskFailed', cause });
  return new GatewayError(`${message}: ${meaning.why}`, { code: meaning.code, hint: meaning.hint, cause });
}

function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT') throw fileError('a temporary file could not be removed', error);
}
