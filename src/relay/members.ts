import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { fileError, readFileIfExists, writeFileAtomic } from '../system/files.ts';

const Stored = z.strictObject({ hash: z.string(), until: z.string().optional(), since: z.string() });
type Stored = z.infer<typeof Stored>;

const ID = /^[0-9a-f]{16}$/;
const MAX_INVITES = 100;
const MAX_HOMES = 10_000;

/**
 * Who may ask a relay: homes that joined, and invites that nobody used yet. One small file each, with the hash of a
 * secret and never the secret; read at each question, so that a removal counts at once.
 */
export class Members {
  readonly #homes: string;
  readonly #invites: string;

  constructor(directory: string) {
    this.#homes = join(directory, 'homes');
    this.#invites = join(directory, 'invites');
  }

  async prepare(): Promise<void> {
    try {
      for (const path of [this.#homes, this.#invites]) await mkdir(path, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw fileError(`the relay's directory ${this.#homes} could not be made`, error);
    }
  }

  async homes(): Promise<readonly string[]> {
    return idsIn(this.#homes);
  }

  async list(): Promise<{ readonly home: string; readonly since: string }[]> {
    const homes = await idsIn(this.#homes);
    return Promise.all(
      homes.map(async (home) => ({ home, since: (await read(this.#homes, home))?.since ?? '' })),
    );
  }

  /** A secret that lets one home join until then. */
  async invite(untilMs: number, nowMs: number): Promise<string> {
    await this.#dropOver(nowMs);
    if ((await idsIn(this.#invites)).length >= MAX_INVITES) {
      throw new GatewayError(`${MAX_INVITES} invites wait to be used already`, {
        code: 'InvalidRequest',
        retry: 'when-changed',
        hint: `use one of them, or remove files from ${this.#invites}`,
      });
    }
    const secret = randomBytes(32).toString('base64url');
    await put(this.#invites, { hash: hashOf(secret), until: isoOf(untilMs), since: isoOf(nowMs) });
    return secret;
  }

  /** None of those that were not used counts any more. */
  async withdrawInvites(): Promise<void> {
    for (const id of await idsIn(this.#invites)) await remove(this.#invites, id);
  }

  /** The new home's name here; `undefined` unless the invite is good. Whoever comes second with it is refused. */
  async join(invite: string, credential: string, nowMs: number): Promise<string | undefined> {
    await this.#dropOver(nowMs);
    const hash = hashOf(invite);
    let used: string | undefined;
    for (const id of await idsIn(this.#invites)) {
      const stored = await read(this.#invites, id);
      if (stored !== undefined && isEqual(stored.hash, hash)) used = id;
    }
    if (used === undefined || (await idsIn(this.#homes)).length >= MAX_HOMES) return undefined;
    // Removing is what claims it: only one of two succeeds.
    if (!(await remove(this.#invites, used))) return undefined;
    return put(this.#homes, { hash: credential, since: isoOf(nowMs) });
  }

  async isHome(id: string, secret: string): Promise<boolean> {
    const stored = await read(this.#homes, id);
    return isEqual(stored?.hash ?? hashOf(''), hashOf(secret)) && stored !== undefined;
  }

  async leave(id: string): Promise<void> {
    await remove(this.#homes, id);
  }

  async #dropOver(nowMs: number): Promise<void> {
    for (const id of await idsIn(this.#invites)) {
      const until = Date.parse((await read(this.#invites, id))?.until ?? '');
      if (!(until > nowMs)) await remove(this.#invites, id);
    }
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(Buffer.from(secret, 'base64url')).digest('base64url');
}

function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

async function idsIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => ID.test(name)).sort();
  } catch (error) {
    throw fileError(`${directory} could not be read`, error);
  }
}

async function put(directory: string, stored: Stored): Promise<string> {
  const id = randomBytes(8).toString('hex');
  await writeFileAtomic(join(directory, id), JSON.stringify(stored), { mode: 0o600 });
  return id;
}

/** A file that cannot be read as one of ours lets nobody in. */
async function read(directory: string, id: string): Promise<Stored | undefined> {
  if (!ID.test(id)) return undefined;
  const text = (await readFileIfExists(join(directory, id)))?.toString();
  if (text === undefined) return undefined;
  try {
    return Stored.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function remove(directory: string, id: string): Promise<boolean> {
  try {
    await unlink(join(directory, id));
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw fileError(`${join(directory, id)} could not be removed`, error);
  }
}
