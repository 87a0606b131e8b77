import { lstat, mkdir, readFile, readlink, rename, rmdir, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../../core/errors.ts';
import { fileError, removeFile, writeFileAtomic } from '../../system/files.ts';
import type { Layout } from './layout.ts';

/** One thing that an installation makes. Doing it twice is doing it once. */
export interface Step {
  /** 'write /etc/systemd/system/gateway.service' */
  readonly say: string;
  isDone(): Promise<boolean>;
  run(signal: AbortSignal): Promise<void>;
}

/** What to remove again, in the order in which it was made; paths of the installation. */
export interface Manifest {
  readonly files: readonly string[];
  readonly directories: readonly string[];
  readonly users: readonly string[];
}
export const NOTHING: Manifest = { files: [], directories: [], users: [] };

/** Remembers, before each thing is made, that it is ours. */
export interface Ledger {
  add(kind: keyof Manifest, name: string): Promise<void>;
}

export function fileStep(layout: Layout, path: string, content: string, ledger: Ledger): Step {
  return {
    say: `write ${path}`,
    isDone: async () => (await readText(layout.at(path))) === content,
    run: async () => {
      await ledger.add('files', path);
      await makeParents(layout, path, ledger);
      await writeFileAtomic(layout.at(path), content, { mode: 0o644 });
    },
  };
}

/** One that is there already is somebody else's, and stays. */
export function directoryStep(layout: Layout, path: string, ledger: Ledger): Step {
  return {
    say: `make ${path}`,
    isDone: () => exists(layout.at(path)),
    run: () => makeMissing(layout, path, ledger),
  };
}

/** Replaced by a rename: whoever follows it finds the old or the new, never nothing. */
export function linkStep(layout: Layout, path: string, target: string, ledger: Ledger): Step {
  return {
    say: `link ${path} to ${target}`,
    isDone: async () => (await readLink(layout.at(path))) === target,
    run: async () => {
      await ledger.add('files', path);
      await makeParents(layout, path, ledger);
      await switchLink(layout.at(path), target);
    },
  };
}

export async function switchLink(path: string, target: string): Promise<void> {
  const draft = join(dirname(path), `.link-${process.pid}`);
  try {
    await removeFile(draft);
    await symlink(target, draft);
    await rename(draft, path);
  } catch (error) {
    throw fileError(`${path} could not be made to lead to ${target}`, error);
  }
}

function makeParents(layout: Layout, path: string, ledger: Ledger): Promise<void> {
  return makeMissing(layout, dirname(path), ledger);
}

async function makeMissing(layout: Layout, directory: string, ledger: Ledger): Promise<void> {
  if (directory === '/' || (await exists(layout.at(directory)))) return;
  await makeParents(layout, directory, ledger);
  await ledger.add('directories', directory);
  await mkdir(layout.at(directory), { recursive: true, mode: 0o755 });
}

export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw fileError(`${path} could not be examined`, error);
  }
}

export async function readText(path: string): Promise<string | undefined> {
  return readOr(path, () => readFile(path, 'utf8'));
}

export async function readLink(path: string): Promise<string | undefined> {
  return readOr(path, () => readlink(path));
}

async function readOr(path: string, read: () => Promise<string>): Promise<string | undefined> {
  try {
    return await read();
  } catch (error) {
    if (['ENOENT', 'EINVAL', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw fileError(`${path} could not be read`, error);
  }
}

/** Files first, then directories that we made and that nobody else uses by now. */
export async function removeMade(layout: Layout, { files, directories }: Manifest): Promise<void> {
  for (const file of files) {
    try {
      await unlink(layout.at(file));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fileError(`${file} could not be removed`, error);
    }
  }
  for (const directory of directories.toReversed()) {
    try {
      await rmdir(layout.at(directory));
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY'].includes(errnoOf(error) ?? '')) {
        throw fileError(`${directory} could not be removed`, error);
      }
    }
  }
}
