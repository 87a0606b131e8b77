import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { GatewayError } from '../../core/errors.ts';
import { fileError, readFileIfExists, removeFile, writeFileAtomic } from '../../system/files.ts';
import { Holding } from '../state.ts';

const ID = /^[0-9a-f]{16}$/;

/** What each home holds, one file each, written before it is granted. A damaged file is an error that names it. */
export class Holdings {
  readonly #directory: string;
  readonly #held = new Map<string, Holding>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(members: string): Promise<Holdings> {
    const directory = join(members, 'holdings');
    const holdings = new Holdings(directory);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      for (const name of await readdir(directory)) {
        if (ID.test(name)) holdings.#held.set(name, await readHolding(join(directory, name)));
      }
    } catch (error) {
      throw fileError(`${directory} could not be read`, error);
    }
    return holdings;
  }

  all(): readonly Holding[] {
    return [...this.#held.values()];
  }

  of(home: string): Holding | undefined {
    return this.#held.get(home);
  }

  async put(holding: Holding): Promise<void> {
    await writeFileAtomic(join(this.#directory, holding.home), JSON.stringify(holding), { mode: 0o600 });
    this.#held.set(holding.home, holding);
  }

  /** `false`: it held nothing. */
  async remove(home: string): Promise<boolean> {
    if (!this.#held.has(home)) return false;
    await removeFile(join(this.#directory, home));
    return this.#held.delete(home);
  }
}

async function readHolding(path: string): Promise<Holding> {
  try {
    return Holding.parse(JSON.parse((await readFileIfExists(path))?.toString() ?? ''));
  } catch (cause) {
    if (!(cause instanceof SyntaxError || cause instanceof z.ZodError)) throw cause;
    throw new GatewayError(`what a home holds at this relay is damaged: ${path}`, {
      code: 'StateCorrupt',
      retry: 'when-changed',
      hint: `put it back from a backup; without one, remove ${path}, and let that home say: gateway relay rotate`,
      cause,
    });
  }
}
