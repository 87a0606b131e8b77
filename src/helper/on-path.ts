import { realpath, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { errnoOf } from '../core/errors.ts';
import { fileError } from '../system/files.ts';

/** The file that a program's name stands for, and which one it is: differs once it was replaced. `undefined`: there is none. */
export async function identityOnPath(name: string): Promise<string | undefined> {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    if (directory === '') continue;
    try {
      const path = await realpath(join(directory, name));
      const { dev, ino, mtimeMs, size } = await stat(path);
      return [path, dev, ino, mtimeMs, size].join();
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) {
        throw fileError(`${directory}/${name} could not be looked at`, error);
      }
    }
  }
  return undefined;
}
