import { chmod, chown, mkdir, readdir } from 'node:fs/promises';
import type { Directories } from './directories.ts';
import { fileError } from './files.ts';

/**
 * Root's, and writable for the group `gateway`, to which the daemon belongs. Helper and `gateway up` both do this, whoever
 * comes first; root alone can.
 *
 *   state, run | sticky: the daemon makes its files there but cannot move root's away. Ones that exist stay as they are.
 *   config     | not sticky: the daemon replaces gateway.yaml as a whole, also one that root has written by hand.
 */
export async function makeDirectories({ config, state, run }: Directories, gid: number): Promise<void> {
  for (const directory of [state, run]) {
    if (await make(directory)) await giveToGroup(directory, gid, 0o1775);
  }
  const isNew = await make(config);
  if (isNew || (await isForConfigAlone(config))) await giveToGroup(config, gid, 0o775);
}

/** `true` when it was not there. */
async function make(directory: string): Promise<boolean> {
  try {
    return (await mkdir(directory, { recursive: true })) !== undefined;
  } catch (error) {
    throw fileError(`${directory} could not be made`, error);
  }
}

async function giveToGroup(directory: string, gid: number, mode: number): Promise<void> {
  try {
    await chown(directory, 0, gid);
    await chmod(directory, mode);
  } catch (error) {
    throw fileError(`${directory} could not be given to the group gateway`, error);
  }
}

/** One that holds other things (`--root /`) is not ours to change. What begins with a dot is what editors leave. */
async function isForConfigAlone(config: string): Promise<boolean> {
  const names = (await readdir(config)).filter((name) => !name.startsWith('.'));
  return names.every((name) => name.startsWith('gateway.yaml') || name === 'torrc.d');
}
