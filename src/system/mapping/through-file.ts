import { readFile } from 'node:fs/promises';
import { errnoOf } from '../../core/errors.ts';
import { Through } from '../../core/through.ts';
import { isUnreadable } from './memory.ts';
import { removeFile, writeFileAtomic } from '../files.ts';

/** The owner's yes to asking routers farther out. A damaged file is no yes. */
export class ThroughFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async read(): Promise<Through | undefined> {
    try {
      return Through.parse(JSON.parse(await readFile(this.#path, 'utf8')));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || isUnreadable(error)) return undefined;
      throw error;
    }
  }

  async write(through: Through | undefined): Promise<void> {
    if (through === undefined) await removeFile(this.#path);
    else await writeFileAtomic(this.#path, `${JSON.stringify(through)}\n`, { mode: 0o600 });
  }
}
