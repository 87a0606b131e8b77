import { constants, statSync } from 'node:fs';
import { link, mkdir, open, rename } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { errnoOf, GatewayError } from '../core/errors.ts';
import type { Crypto, Keys, KeyType } from '../core/ports.ts';
import { Secret } from '../core/secret.ts';
import { fileError, readFileIfExists, removeFile, syncDirectory, writeFileAtomic } from './files.ts';
import { fingerprintOf, parseKeyFile, renderKeyFile } from './keyfile.ts';

/** What the state remembers of each key: enough to tell a lost or exchanged one from one that never was. */
export interface KeyRegistry {
  fingerprint(name: string): string | undefined;
  remember(name: string, fingerprint: string): void;
  forget(name: string): void;
}

export interface KeysOptions {
  /** Ours alone, 0700. */
  readonly directory: string;
  readonly registry: KeyRegistry;
  readonly crypto: Crypto;
}

export function createKeys(options: KeysOptions): Keys {
  return new KeyDirectory(options);
}

interface Kept {
  /** Another one for each file and each change of it. */
  readonly identity: string;
  readonly type: KeyType;
  readonly fingerprint: string;
  readonly secret: Secret<Uint8Array>;
}

/** Within one tick of the kernel's clock two changes of a file look the same. */
const TICK_MS = 100;

/** `undefined` when there is no file, none that can be looked at, or one that was changed just now. */
function identityOf(path: string): string | undefined {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (found?.isFile() !== true || Date.now() - Number(found.ctimeMs) < TICK_MS) return undefined;
    return `${found.dev} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
  } catch (error) {
    // Reading it says what is wrong.
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

const NAME = /^[a-z0-9-]+(\/[a-z0-9-]+)*$/;

/**
 * A file is complete and synced before its fingerprint is remembered, and is linked into place, which fails where a
 * file is already. So whatever moment the power goes: a key is there whole, or it never was.
 */
class KeyDirectory implements Keys {
  readonly #directory: string;
  readonly #registry: KeyRegistry;
  readonly #crypto: Crypto;
  readonly #kept = new Map<string, Kept>();
  /** Makes two callers who ensure the same key at once get the same one. */
  readonly #pending = new Map<string, Promise<Secret<Uint8Array>>>();

  constructor({ directory, registry, crypto }: KeysOptions) {
    this.#directory = directory;
    this.#registry = registry;
    this.#crypto = crypto;
  }

  ensure(name: string, type: KeyType): Promise<Secret<Uint8Array>> {
    const pending = this.#pending.get(name);
    if (pending !== undefined) return pending;
    const made = this.#ensure(name, type).finally(() => this.#pending.delete(name));
    this.#pending.set(name, made);
    return made;
  }

  async #ensure(name: string, type: KeyType): Promise<Secret<Uint8Array>> {
    const found = await this.read(name, type);
    if (found !== undefined) return found;
    await this.#store(name, type, new Secret(this.#make(type)));
    const stored = await this.read(name, type);
    if (stored === undefined) throw missing(name, this.#pathOf(name));
    return stored;
  }

  /** A file that is the one that was read before is not read again: each look at thousands of devices asks for all. */
  async read(name: string, type: KeyType): Promise<Secret<Uint8Array> | undefined> {
    const path = this.#pathOf(name);
    const identity = identityOf(path);
    const kept = this.#kept.get(name);
    const isSame = kept !== undefined && kept.identity === identity && kept.type === type;
    if (isSame && this.#registry.fingerprint(name) === kept.fingerprint) return kept.secret;
    const secret = await this.#readFile(name, type);
    const fingerprint = this.#registry.fingerprint(name);
    const isKept = secret !== undefined && fingerprint !== undefined && identity === identityOf(path);
    if (isKept && identity !== undefined) this.#kept.set(name, { identity, type, fingerprint, secret });
    else this.#kept.delete(name);
    return secret;
  }

  async #readFile(name: string, type: KeyType): Promise<Secret<Uint8Array> | undefined> {
    const path = this.#pathOf(name);
    const remembered = this.#registry.fingerprint(name);
    const bytes = await readFileIfExists(path).catch((error: unknown) => {
      const isDirectory = error instanceof GatewayError && errnoOf(error.cause) === 'EISDIR';
      throw isDirectory ? corrupt(name, path, 'a directory is in its place') : error;
    });
    if (bytes === undefined) {
      if (remembered === undefined || (await this.#finishRemoval(name))) return undefined;
      throw missing(name, path);
    }
    const secret = parseKeyFile(bytes, type);
    if (typeof secret === 'string') throw corrupt(name, path, secret);
    const fingerprint = fingerprintOf(type, secret);
    if (remembered === undefined) this.#registry.remember(name, fingerprint);
    else if (remembered !== fingerprint) throw corrupt(name, path, 'it is another key than the one in use');
    return new Secret(secret);
  }

  async put(name: string, type: KeyType, secret: Secret<Uint8Array>): Promise<void> {
    const found = await this.read(name, type);
    if (found === undefined) await this.#store(name, type, secret);
    else if (fingerprintOf(type, found.reveal()) !== fingerprintOf(type, secret.reveal())) {
      throw exists(name, this.#pathOf(name));
    }
  }

  /** Put aside first, forgotten next, deleted last: stopped anywhere, the next read carries on. */
  async remove(name: string): Promise<void> {
    const path = this.#pathOf(name);
    try {
      await rename(path, removedPath(path));
      await syncDirectory(dirname(path));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fileError(`key ${name} (${path}) could not be removed`, error);
    }
    this.#registry.forget(name);
    await removeFile(removedPath(path));
  }

  async #finishRemoval(name: string): Promise<boolean> {
    const aside = removedPath(this.#pathOf(name));
    if ((await readFileIfExists(aside)) === undefined) return false;
    this.#registry.forget(name);
    await removeFile(aside);
    return true;
  }

  async #store(name: string, type: KeyType, secret: Secret<Uint8Array>): Promise<void> {
    const path = this.#pathOf(name);
    await makeDirectories(this.#directory, dirname(path));
    const draft = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.new`);
    await writeFileAtomic(draft, renderKeyFile(type, secret.reveal()), { mode: 0o600 });
    try {
      await link(draft, path);
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') throw exists(name, path);
      throw fileError(`key ${name} (${path}) could not be written`, error);
    } finally {
      await removeFile(draft);
    }
    await syncDirectory(dirname(path));
    this.#registry.remember(name, fingerprintOf(type, secret.reveal()));
  }

  #make(type: KeyType): Uint8Array {
    if (type === 'curve25519') return this.#crypto.curve25519Secret();
    if (type === 'p256') return this.#crypto.p256Secret();
    return type === 'preshared' ? this.#crypto.random(32) : this.#crypto.ed25519ExpandedSecret();
  }

  #pathOf(name: string): string {
    if (!NAME.test(name)) throw new TypeError(`not a key name: ${JSON.stringify(name)}`);
    return join(this.#directory, `${name}.key`);
  }
}

/** For tests, and for reading keys where there is no state. */
export function memoryRegistry(): KeyRegistry {
  const known = new Map<string, string>();
  return {
    fingerprint: (name) => known.get(name),
    remember: (name, fingerprint) => void known.set(name, fingerprint),
    forget: (name) => void known.delete(name),
  };
}

async function makeDirectories(top: string, path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await directory.chmod(0o700);
    } finally {
      await directory.close();
    }
  } catch (error) {
    throw fileError(`the directory ${path} could not be made`, error);
  }
  // A new directory is durable only when the one around it is.
  for (let inner = path; inner !== dirname(top) && inner.length >= top.length; inner = dirname(inner)) {
    await syncDirectory(dirname(inner));
  }
}

function removedPath(path: string): string {
  return `${path}.removed`;
}

function missing(name: string, path: string): GatewayError {
  return new GatewayError(`key ${name} is gone: ${path} does not exist, but it was in use`, {
    code: 'KeyMissing',
    retry: 'when-changed',
    hint: `put ${path} back from a backup; a new key is never made in its place`,
  });
}

function corrupt(name: string, path: string, why: string): GatewayError {
  return new GatewayError(`key ${name} is damaged: ${path}: ${why}`, {
    code: 'KeyCorrupt',
    retry: 'when-changed',
    hint: `put ${path} back from a backup; it is left as it is, and a new key is never made in its place`,
  });
}

function exists(name: string, path: string): GatewayError {
  return new GatewayError(`key ${name} exists already: ${path}`, {
    code: 'AlreadyExists',
    retry: 'never',
    hint: 'a key is never overwritten; choose another name, or remove the old key first',
  });
}
