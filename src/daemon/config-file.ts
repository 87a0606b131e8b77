import { parseConfig, formatProblems, type Config, type ProviderSchema } from '../core/config.ts';
import { GatewayError } from '../core/errors.ts';
import { readFileIfExists, writeFileAtomic } from '../system/files.ts';

/** gateway.yaml on disk: the owner's file, which we write only on request and never without its comments. */
export class ConfigFile {
  readonly path: string;
  readonly #providers: readonly ProviderSchema[];
  /** The last texts that were read, each asked for several times in one change; with a thousand services reading takes long. */
  readonly #read = new Map<string, ReturnType<typeof parseConfig>>();

  constructor(path: string, providers: readonly ProviderSchema[]) {
    this.path = path;
    this.#providers = providers;
  }

  /** `undefined` when there is no file. */
  async read(): Promise<string | undefined> {
    const bytes = await readFileIfExists(this.path);
    return bytes?.toString('utf8');
  }

  /** Throws `ConfigInvalid` with every mistake, its line, its column and what was probably meant. */
  parse(text: string): Config {
    const parsed = this.#parse(text);
    if (parsed.config !== undefined) return parsed.config;
    throw new GatewayError(formatProblems('gateway.yaml', parsed.problems), {
      code: 'ConfigInvalid',
      retry: 'when-changed',
      hint: `mend ${this.path}, then run: gateway up`,
    });
  }

  /** The same for a text that a command made: the file is as it was, so the mistake is not the file's. */
  parseEdited(text: string): Config {
    const parsed = this.#parse(text);
    if (parsed.config !== undefined) return parsed.config;
    const [first] = parsed.problems;
    throw new GatewayError(parsed.problems.map(({ message }) => message).join('\n'), {
      code: 'InvalidRequest',
      retry: 'never',
      hint: first?.hint === undefined ? 'nothing was changed' : `${first.hint}; nothing was changed`,
    });
  }

  #parse(text: string): ReturnType<typeof parseConfig> {
    const found = this.#read.get(text) ?? parseConfig(text, this.#providers);
    // The newest is last, and two are enough: before and after.
    this.#read.delete(text);
    this.#read.set(text, found);
    for (const oldest of this.#read.keys()) if (this.#read.size > 2) this.#read.delete(oldest);
    return found;
  }

  async write(text: string): Promise<void> {
    await writeFileAtomic(this.path, text, { mode: 0o640 });
  }

  /** Keeps `text` beside the file before a rollback replaces it. */
  async keep(text: string, name: string): Promise<string> {
    const path = `${this.path}.${name}`;
    await writeFileAtomic(path, text, { mode: 0o640 });
    return path;
  }
}
