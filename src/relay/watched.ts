import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { HomeWatch } from '../core/relay-watch.ts';
import { fileError, readFileIfExists, removeFile, writeFileAtomic } from '../system/files.ts';

const WatchedHome = z.strictObject({
  watch: HomeWatch,
  /** Its owner was told that it is silent, and not yet that it is back. */
  isTold: z.boolean(),
  toldAt: z.iso.datetime().optional(),
});
export type WatchedHome = z.infer<typeof WatchedHome>;

const ID = /^[0-9a-f]{16}$/;

/** Whom to tell of which home, one file each; what cannot be read is not known, and the home says it again. */
export class Watched {
  readonly #directory: string;
  readonly #homes = new Map<string, WatchedHome>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(members: string): Promise<Watched> {
    const directory = join(members, 'watched');
    const watched = new Watched(directory);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      for (const name of await readdir(directory)) {
        const home = ID.test(name) ? await read(join(directory, name)) : undefined;
        if (home !== undefined) watched.#homes.set(name, home);
      }
    } catch (error) {
      throw fileError(`${directory} could not be read`, error);
    }
    return watched;
  }

  all(): [string, WatchedHome][] {
    return [...this.#homes];
  }

  of(home: string): WatchedHome | undefined {
    return this.#homes.get(home);
  }

  async put(home: string, watched: WatchedHome): Promise<void> {
    await writeFileAtomic(join(this.#directory, home), JSON.stringify(watched), { mode: 0o600 });
    this.#homes.set(home, watched);
  }

  async remove(home: string): Promise<void> {
    if (this.#homes.delete(home)) await removeFile(join(this.#directory, home));
  }
}

async function read(path: string): Promise<WatchedHome | undefined> {
  const text = (await readFileIfExists(path))?.toString();
  try {
    return WatchedHome.safeParse(JSON.parse(text ?? 'null')).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
