import { readFile } from 'node:fs/promises';
import { errnoOf } from '../../core/errors.ts';

/** `undefined`: it is not there, or not for this user; a container may lack half of /proc and /sys. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
