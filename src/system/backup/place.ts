import { chmod, chown, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import type { Directories, Paths } from '../directories.ts';
import { fileError, readFileIfExists, syncDirectory, writeFileAtomic } from '../files.ts';
import { openStore } from '../store/index.ts';
import { parseSnapshot } from '../store/snapshot.ts';
import { CONFIG, SNAPSHOT, type Contents } from './contents.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface PlaceOptions {
  readonly directories: Directories;
  readonly paths: Paths;
  /** To whom keys and state are given; `undefined`: they stay ours. */
  readonly owner: Owner | undefined;
  /** What is there is moved aside instead of refused. */
  readonly isForced: boolean;
  readonly now: number;
}

/** What a gateway's directories hold that a backup replaces, or that is made from it. Programs' own data stays. */
const CONFIG_ENTRIES = [CONFIG, 'torrc.d'];
const STATE_ENTRIES = [
  SNAPSHOT,
  'snapshot.prev.json',
  'state.db',
  'state.db-wal',
  'state.db-shm',
  'keys',
  'applied.json',
  'tor',
  'edge',
];

/**
 * Writes verified contents where a gateway looks for them: all of it is complete on the disk, beside its place, before the
 * first file is renamed; the state, without which the rest is nothing, comes last. Resolves with where the old was put.
 */
export async function place(contents: Contents, options: PlaceOptions): Promise<readonly string[]> {
  const { config, state } = options.directories;
  const inConfig = await present(config, CONFIG_ENTRIES);
  const inState = (await isUnused(options.paths)) ? [] : await present(state, STATE_ENTRIES);
  if (!options.isForced)
    refuseUsed([...inConfig.map((name) => join(config, name)), ...inState.map((name) => join(state, name))]);
  const stagedConfig = await stage(contents, config, (name) => !isState(name), options.owner);
  const stagedState = await stage(contents, state, isState, options.owner);
  await fillDatabase(stagedState, options.owner);
  const stamp = new Date(options.now).toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');
  const kept = [
    await putAside(config, await present(config, CONFIG_ENTRIES), stamp),
    await putAside(state, await present(state, STATE_ENTRIES), stamp),
  ];
  await moveIn(stagedConfig, config, CONFIG_ENTRIES);
  await moveIn(stagedState, state, STATE_ENTRIES.toReversed());
  return kept.filter((path) => path !== undefined);
}

function isState(name: string): boolean {
  return name === SNAPSHOT || name.startsWith('keys/');
}

async function present(directory: string, names: readonly string[]): Promise<string[]> {
  try {
    const there = await readdir(directory);
    return names.filter((name) => there.includes(name));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw fileError(`${directory} could not be read`, error);
  }
}

/** A gateway that was started once and never told anything has nothing to lose. */
async function isUnused({ snapshot, keys }: Paths): Promise<boolean> {
  const bytes = await readFileIfExists(snapshot);
  const copy = bytes === undefined ? undefined : parseSnapshot(bytes);
  if (copy?.status !== 'healthy' || copy.state.counter > 0) return false;
  return (await present(dirname(keys), ['keys'])).length === 0;
}

function refuseUsed(found: readonly string[]): void {
  if (found.length === 0) return;
  throw new GatewayError(`a gateway lives here already (${found.join(', ')}); nothing was changed`, {
    code: 'AlreadyExists',
    retry: 'never',
    hint: 'restore into other directories with --root, or put what is there aside and restore: --force',
  });
}

/** A folder on the same file system, which only its maker can enter until it is complete. */
async function stage(
  { files }: Contents,
  directory: string,
  isWanted: (name: string) => boolean,
  owner: Owner | undefined,
): Promise<string> {
  try {
    await mkdir(directory, { recursive: true });
    const staged = await mkdtemp(join(directory, '.restore-'));
    for (const [name, bytes] of files) {
      if (!isWanted(name)) continue;
      const path = join(staged, name);
      await makeParents(staged, dirname(path), isState(name) ? { mode: 0o700, owner } : { mode: 0o755 });
      // Lines for tor stay root's, as they should be; everything else is what the daemon replaces.
      const given = owner === undefined || name.startsWith('torrc.d/') ? {} : { owner };
      await writeFileAtomic(path, bytes, { mode: isState(name) ? 0o600 : 0o640, ...given });
    }
    return staged;
  } catch (error) {
    throw fileError(`${directory} could not be filled`, error);
  }
}

async function makeParents(
  top: string,
  directory: string,
  { mode, owner }: { readonly mode: number; readonly owner?: Owner | undefined },
): Promise<void> {
  if (directory === top) return;
  await makeParents(top, dirname(directory), { mode, owner });
  if ((await mkdir(directory, { recursive: true })) === undefined) return;
  await chmod(directory, mode);
  if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
}

/** The database is made from the snapshot here, so that the first start finds nothing to mend. */
async function fillDatabase(staged: string, owner: Owner | undefined): Promise<void> {
  const database = join(staged, 'state.db');
  openStore({ database, snapshot: join(staged, SNAPSHOT) }).close();
  if (owner !== undefined) await chown(database, owner.uid, owner.gid);
}

async function putAside(
  directory: string,
  names: readonly string[],
  stamp: string,
): Promise<string | undefined> {
  if (names.length === 0) return undefined;
  const aside = join(directory, `before-restore-${stamp}`);
  try {
    await mkdir(aside, { mode: 0o700 });
    for (const name of names) await rename(join(directory, name), join(aside, name));
    await syncDirectory(directory);
  } catch (error) {
    throw fileError(`what was in ${directory} could not be moved to ${aside}`, error);
  }
  return aside;
}

async function moveIn(staged: string, directory: string, names: readonly string[]): Promise<void> {
  try {
    for (const name of await present(staged, names)) await rename(join(staged, name), join(directory, name));
    await syncDirectory(directory);
    await rm(staged, { recursive: true });
  } catch (error) {
    throw fileError(`${directory} could not be filled from ${staged}`, error);
  }
}
