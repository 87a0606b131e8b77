import { chmod, mkdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CertificateSpec, certificateFile, CHALLENGES } from '../../core/certificate.ts';
import type { CertificateState, Held } from '../../core/certificate-life.ts';
import { errnoOf, messageOf } from '../../core/errors.ts';
import { Secret } from '../../core/secret.ts';
import { fileError, readFileIfExists, removeFile, syncDirectory, writeFileAtomic } from '../files.ts';
import type { Pending } from './order.ts';
import { readCertificate } from './verify.ts';

/** What is kept of one name, beside its certificate. */
export interface Entry {
  readonly state: CertificateState;
  readonly pending?: Pending & { readonly placedAt: number };
  /** Nobody wants it any more; it is kept until it ends, for whoever wants it again. */
  readonly isReleased?: boolean;
}

export interface Account {
  readonly url: string;
  /** Names of the authority in CAA records. */
  readonly identities: readonly string[];
}

const Times = z.array(z.number());
const Stored = z.object({
  spec: CertificateSpec,
  window: z
    .object({
      of: z.string(),
      renewAt: z.number().exactOptional(),
      start: z.number().exactOptional(),
      end: z.number().exactOptional(),
      askAt: z.number(),
      explanation: z.string().exactOptional(),
    })
    .exactOptional(),
  isForced: z.boolean().exactOptional(),
  failures: z.number(),
  objections: z.number(),
  retryAt: z.number().exactOptional(),
  trouble: z.object({ message: z.string(), hint: z.string().exactOptional() }).exactOptional(),
  isRehearsed: z.boolean().exactOptional(),
  proved: z.enum(CHALLENGES).exactOptional(),
  failed: z.array(z.enum(CHALLENGES)),
  records: z.record(
    z.string(),
    z.object({ failedAt: Times, issuedAt: Times, blockedUntil: z.number().exactOptional() }),
  ),
  /** Directory of the authority that gave the certificate that is on disk. */
  givenBy: z.string().exactOptional(),
  pending: z
    .object({ directory: z.string(), url: z.string(), key: z.string(), placedAt: z.number() })
    .exactOptional(),
  isReleased: z.boolean().exactOptional(),
});
const File = z.object({
  version: z.literal(1),
  accounts: z.record(z.string(), z.object({ url: z.string(), identities: z.array(z.string()) })),
  certificates: z.array(Stored),
});

export interface Loaded {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly accounts: ReadonlyMap<string, Account>;
  /** What was damaged and put aside: sentences. */
  readonly damages: readonly { readonly name: string | undefined; readonly message: string }[];
}

/**
 * One directory, 0700: `NAME.pem` (certificate, chain and key as one file, so that they can never differ) and
 * `certificates.json`, which outlives kill -9 at any moment: counters, so that a gateway that crashes again and again
 * meets no limit of an authority, and the order that is under way with its key, so that it is not placed twice.
 */
export class CertificateFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async load(): Promise<Loaded> {
    await this.#make();
    const path = this.#memory();
    const bytes = await readFileIfExists(path);
    const damages: { name: string | undefined; message: string }[] = [];
    const parsed = bytes === undefined ? undefined : parseMemory(bytes.toString());
    if (bytes !== undefined && parsed === undefined) {
      damages.push({ name: undefined, message: `${path} was damaged and lies in ${await aside(path)} now` });
    }
    const entries = new Map<string, Entry>();
    for (const stored of parsed?.certificates ?? []) {
      const { name } = stored.spec;
      const held = await this.read(name, stored.givenBy ?? stored.spec.authorities[0]?.directory ?? '');
      if (typeof held === 'string') damages.push({ name, message: held });
      entries.set(name, entryOf(stored, typeof held === 'string' ? undefined : held));
    }
    return { entries, accounts: new Map(Object.entries(parsed?.accounts ?? {})), damages };
  }

  /** What the certificate on disk is; a sentence when it was damaged, and was put aside. */
  async read(name: string, directory: string): Promise<Held | string | undefined> {
    const path = this.#pathOf(name);
    const pem = await readFileIfExists(path);
    if (pem === undefined) return undefined;
    try {
      return { ...readCertificate(pem.toString(), name, undefined), directory };
    } catch (error) {
      return `${path} was damaged (${messageOf(error)}) and lies in ${await aside(path)} now`;
    }
  }

  pem(name: string): Promise<string> {
    const path = this.#pathOf(name);
    return readFile(path, 'utf8').catch((error: unknown) => {
      throw fileError(`${path} could not be read`, error);
    });
  }

  async write(name: string, pem: string): Promise<void> {
    await this.#make();
    await writeFileAtomic(this.#pathOf(name), pem, { mode: 0o600 });
  }

  async remove(name: string): Promise<void> {
    await removeFile(this.#pathOf(name));
  }

  async save(entries: ReadonlyMap<string, Entry>, accounts: ReadonlyMap<string, Account>): Promise<void> {
    const certificates = [...entries.values()].map(storedOf);
    const text = JSON.stringify({ version: 1, accounts: Object.fromEntries(accounts), certificates });
    await writeFileAtomic(this.#memory(), `${text}\n`, { mode: 0o600 });
  }

  async #make(): Promise<void> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await chmod(this.#directory, 0o700);
      await syncDirectory(dirname(this.#directory));
    } catch (error) {
      throw fileError(`the directory ${this.#directory} could not be made`, error);
    }
  }

  #memory(): string {
    return join(this.#directory, 'certificates.json');
  }

  #pathOf(name: string): string {
    if (name.includes('/') || name.startsWith('.'))
      throw new TypeError(`not a name: ${JSON.stringify(name)}`);
    return join(this.#directory, `${certificateFile(name)}.pem`);
  }
}

function parseMemory(text: string): z.infer<typeof File> | undefined {
  try {
    return File.parse(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

/** Kept for whoever wants to look; the next one replaces it. */
async function aside(path: string): Promise<string> {
  const damaged = `${path}.damaged`;
  try {
    await rename(path, damaged);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileError(`${path} could not be put aside`, error);
  }
  return damaged;
}

function entryOf(stored: z.infer<typeof Stored>, held: Held | undefined): Entry {
  const { givenBy: _givenBy, pending, isReleased, ...state } = stored;
  return {
    state: held === undefined ? state : { ...state, held },
    ...(pending === undefined ? {} : { pending: { ...pending, key: new Secret(pending.key) } }),
    ...(isReleased === undefined ? {} : { isReleased }),
  };
}

function storedOf({ state, pending, isReleased }: Entry): unknown {
  const { held, ...rest } = state;
  return {
    ...rest,
    ...(held === undefined ? {} : { givenBy: held.directory }),
    ...(pending === undefined ? {} : { pending: { ...pending, key: pending.key.reveal() } }),
    ...(isReleased === undefined ? {} : { isReleased }),
  };
}
