import type { Stats } from 'node:fs';
import { lstat, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../core/errors.ts';
import { fileError, writeFileAtomic } from '../system/files.ts';
import { run } from '../system/run.ts';
import type { UserIds } from './environment.ts';
import { readPlain } from './owned-directory.ts';
import { asUser } from './run-as.ts';

const FILES = ['hs_ed25519_secret_key', 'hs_ed25519_public_key', 'hostname'] as const;

/**
 * Why tor could not use the directory of one onion service, whatever is in its files. tor ends at one that others may
 * enter, or that it may not enter itself, and takes every other onion along.
 */
export async function faultOfPlace(path: string, owner: UserIds): Promise<string | undefined> {
  const place = await look(path);
  if (place === undefined) return 'its directory is not there';
  if (!place.isDirectory()) return `its directory was replaced by ${kindOf(place)}`;
  const fault = faultOfOwner(place, owner) ?? faultOfMode(place, 0o700);
  if (fault !== undefined) return `its directory ${fault}`;
  for (const name of FILES) {
    const why = await faultOfFile(join(path, name), owner);
    if (why !== undefined) return `${name} ${why}`;
  }
  return undefined;
}

/** What it holds is judged elsewhere, as is its absence. */
async function faultOfFile(path: string, owner: UserIds): Promise<string | undefined> {
  const file = await look(path);
  if (file === undefined) return undefined;
  if (!file.isFile()) return `was replaced by ${kindOf(file)}`;
  return faultOfOwner(file, owner) ?? faultOfMode(file, 0o600);
}

function faultOfOwner({ uid }: Stats, owner: UserIds): string | undefined {
  return uid === owner.uid ? undefined : `belongs to user ${uid} instead of tor's`;
}

function faultOfMode({ mode }: Stats, wanted: number): string | undefined {
  if ((mode & 0o077) !== 0) return `is open to other users (mode ${octal(mode)})`;
  return (mode & wanted) === wanted ? undefined : `may not be read by tor (mode ${octal(mode)})`;
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}

function kindOf(stat: Stats): string {
  if (stat.isSymbolicLink()) return 'a link';
  return stat.isDirectory() ? 'a directory' : stat.isFile() ? 'a file' : 'a pipe or device';
}

async function look(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw fileError(`${path} could not be looked at`, error);
  }
}

/** Takes away what stands where the directory of an onion belongs; only root can have put it there. */
export async function clearPlace(path: string): Promise<void> {
  const found = await look(path);
  if (found === undefined || found.isDirectory()) return;
  try {
    await unlink(path);
  } catch (error) {
    throw fileError(`${path} could not be removed`, error);
  }
}

export interface FilePlace {
  /** As we reach it, through an open descriptor. */
  readonly path: string;
  /** As other processes see it. */
  readonly named: string;
}

/** Does nothing when it is there as tor needs it. */
export async function putFile(
  { path, named }: FilePlace,
  content: Uint8Array,
  owner: UserIds,
  signal: AbortSignal,
): Promise<void> {
  const found = await look(path);
  const isFit = found !== undefined && (await faultOfFile(path, owner)) === undefined;
  if (isFit && (await readPlain(path))?.equals(content) === true) return;
  if (found?.isDirectory() === true) await removeDirectory(path, named, owner, signal);
  await writeFileAtomic(path, content, { mode: 0o600, owner });
}

/** With tor's own rights: links that lie inside then lead nowhere that tor could not go. */
async function removeDirectory(
  path: string,
  named: string,
  owner: UserIds,
  signal: AbortSignal,
): Promise<void> {
  await run([...asUser(owner), 'find', named, '-mindepth', '1', '-delete'], { signal, cwd: '/' });
  try {
    await rmdir(path);
  } catch (error) {
    throw fileError(`${named} could not be removed`, error);
  }
}
