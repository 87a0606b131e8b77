import { isDeepStrictEqual } from 'node:util';
import type { CertificateSpec } from '../../core/certificate.ts';
import { begin, encouraged, withSpec, type CertificateState } from '../../core/certificate-life.ts';
import { Turn } from '../../core/turn.ts';
import type { Accounts } from './authority.ts';
import type { Account, CertificateFiles, Entry } from './memory.ts';
import type { Pending } from './order.ts';

/** An order that is still not a certificate is given up. */
const PENDING_MS = 24 * 3_600_000;

export interface BookOptions {
  readonly files: CertificateFiles;
  readonly now: () => number;
  /** A file was damaged, and put aside: a sentence. */
  readonly damaged: (message: string, name: string | undefined) => void;
}

/** What is known of every name and every account, in memory and on disk. */
export class CertificateBook {
  readonly #options: BookOptions;
  readonly #turn = new Turn();
  readonly #entries = new Map<string, Entry>();
  readonly #accounts = new Map<string, Account>();
  /** What is true of a name should the power go while an authority is asked. */
  readonly #underway = new Map<string, CertificateState>();
  #loaded: Promise<void> | undefined;

  constructor(options: BookOptions) {
    this.#options = options;
  }

  get isLoaded(): boolean {
    return this.#loaded !== undefined;
  }

  entries(): readonly (readonly [string, Entry])[] {
    return [...this.#entries];
  }

  get(name: string): Entry | undefined {
    return this.#entries.get(name);
  }

  account(directory: string): Account | undefined {
    return this.#accounts.get(directory);
  }

  accounts(): Accounts {
    return {
      get: (directory) => this.#accounts.get(directory)?.url,
      put: async (directory, url, identities = []) => {
        if (url === undefined) this.#accounts.delete(directory);
        else this.#accounts.set(directory, { url, identities });
        await this.save();
      },
    };
  }

  set(name: string, state: CertificateState): void {
    const entry = this.#entries.get(name);
    if (entry !== undefined) this.#entries.set(name, { ...entry, state });
  }

  async keep(spec: CertificateSpec): Promise<void> {
    const before = this.#entries.get(spec.name);
    const state = before === undefined ? await this.#adopt(spec) : before.state;
    const isSame = isDeepStrictEqual(state.spec, spec);
    this.#entries.set(spec.name, {
      state: isSame ? state : withSpec(state, spec),
      ...(before?.pending === undefined ? {} : { pending: before.pending }),
    });
    await this.save();
  }

  async release(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry !== undefined) this.#entries.set(name, { ...entry, isReleased: true });
    await this.save();
  }

  async forget(name: string): Promise<void> {
    this.#entries.delete(name);
    await this.#options.files.remove(name);
    await this.save();
  }

  encourage(): void {
    for (const [name, { state }] of this.#entries) this.set(name, encouraged(state));
  }

  /** The order that is under way, with its key; resolves when that is durable. */
  async remember(name: string, pending: Pending | undefined): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    const { pending: before, ...rest } = entry;
    if (pending === undefined) this.#entries.set(name, rest);
    else {
      const placedAt = before?.url === pending.url ? before.placedAt : this.#options.now();
      this.#entries.set(name, { ...rest, pending: { ...pending, placedAt } });
    }
    await this.save();
  }

  /** Without an order that has been under way for too long. */
  async fresh(name: string): Promise<Entry | undefined> {
    const pending = this.#entries.get(name)?.pending;
    const isOld = pending !== undefined && pending.placedAt < this.#options.now() - PENDING_MS;
    if (isOld) await this.remember(name, undefined);
    return this.#entries.get(name);
  }

  /** On disk it is from now on as `asIf`, until the end is said. Rejects when there is no room for it. */
  async beginAsIf(name: string, asIf: CertificateState): Promise<void> {
    this.#underway.set(name, asIf);
    try {
      await this.save();
    } catch (error) {
      this.#underway.delete(name);
      throw error;
    }
  }

  end(name: string): void {
    this.#underway.delete(name);
  }

  save(): Promise<void> {
    return this.#turn.take(() => {
      const asIf = [...this.#entries].map(([name, entry]): [string, Entry] => {
        const state = this.#underway.get(name);
        return [name, state === undefined ? entry : { ...entry, state }];
      });
      return this.#options.files.save(new Map(asIf), this.#accounts);
    });
  }

  load(): Promise<void> {
    this.#loaded ??= this.#load().catch((error: unknown) => {
      // A disk that could not be read may be read the next time.
      this.#loaded = undefined;
      throw error;
    });
    return this.#loaded;
  }

  async #load(): Promise<void> {
    const { entries, accounts, damages } = await this.#options.files.load();
    for (const [name, entry] of entries) this.#entries.set(name, entry);
    for (const [directory, account] of accounts) this.#accounts.set(directory, account);
    for (const { name, message } of damages) this.#options.damaged(message, name);
  }

  /** A certificate that lies there, of a memory that was lost. */
  async #adopt(spec: CertificateSpec): Promise<CertificateState> {
    const { files, damaged } = this.#options;
    const held = await files.read(spec.name, spec.authorities[0]?.directory ?? '');
    if (typeof held === 'string') damaged(held, spec.name);
    return held === undefined || typeof held === 'string' ? begin(spec) : { ...begin(spec), held };
  }
}
