import { z } from 'zod';
import type { Log } from '../core/ports.ts';
import { Turn } from '../core/turn.ts';
import { readFileIfExists, writeFileAtomic } from './files.ts';

const File = z.strictObject({ told: z.record(z.string(), z.string()) });

/** A file: who was told what last (`announced.json`: which address), so that a restart tells nobody again what he knows. */
export class Announced {
  readonly #path: string;
  readonly #log: Log;
  readonly #lost: string;
  readonly #turn = new Turn();
  #told: Map<string, string> | undefined;

  /** `lost`: what follows from a damaged file. */
  constructor(path: string, log: Log, lost = 'the public address is told to everybody again') {
    this.#path = path;
    this.#log = log;
    this.#lost = lost;
  }

  /** By name of the addressee. */
  async load(): Promise<ReadonlyMap<string, string>> {
    if (this.#told !== undefined) return this.#told;
    const text = (await readFileIfExists(this.#path))?.toString();
    const told = text === undefined ? {} : this.#parse(text);
    this.#told ??= new Map(Object.entries(told));
    return this.#told;
  }

  /** One after the other: all are in one file. */
  async put(addressee: string, words: string): Promise<void> {
    await this.load();
    this.#told?.set(addressee, words);
    await this.#turn.take(() => {
      const told = Object.fromEntries(this.#told ?? []);
      return writeFileAtomic(this.#path, `${JSON.stringify({ told })}\n`, { mode: 0o600 });
    });
  }

  #parse(text: string): Record<string, string> {
    try {
      return File.parse(JSON.parse(text)).told;
    } catch (error) {
      if (!(error instanceof SyntaxError) && !(error instanceof z.ZodError)) throw error;
      this.#log('warn', `${this.#path} is damaged; ${this.#lost}`);
      return {};
    }
  }
}
