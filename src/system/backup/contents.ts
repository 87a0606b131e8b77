import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import type { State } from '../../core/state.ts';
import type { Paths } from '../directories.ts';
import { fileError, readFileIfExists } from '../files.ts';
import { fingerprintOf, keyTypeOf, parseKeyFile } from '../keyfile.ts';
import { parseSnapshot } from '../store/snapshot.ts';

/** What a backup holds: everything that cannot be made again. Tor's directory and HAProxy's are made from it. */
export interface Contents {
  /** ISO 8601 */
  readonly madeAt: string;
  /** By place: `snapshot.json`, `keys/tor/shop.key`, `gateway.yaml`, `torrc.d/bridges.conf`. */
  readonly files: ReadonlyMap<string, Buffer>;
  readonly state: State;
}

export const SNAPSHOT = 'snapshot.json';
export const CONFIG = 'gateway.yaml';
/** A place never leads out of its directory. */
const PLACE =
  /^(?:snapshot\.json|gateway\.yaml|keys\/(?:[a-z0-9-]+\/)*[a-z0-9-]+\.key|torrc\.d\/[A-Za-z0-9_-][A-Za-z0-9._-]*)$/;

const Packed = z.strictObject({
  madeAt: z.iso.datetime(),
  files: z.record(z.string().regex(PLACE), z.base64()),
});

const ATTEMPTS = 10;
const PAUSE_MS = 100;

/**
 * Reads a gateway's directories, also while it runs: each file is replaced as a whole, and keys and state are read again
 * until they agree, so that a key which is made or removed meanwhile is in both or in none.
 */
export async function collect(paths: Paths, now: number, signal: AbortSignal): Promise<Contents> {
  for (let attempt = 1; ; attempt += 1) {
    const before = await readFileIfExists(paths.snapshot);
    const keys = await readKeys(paths.keys);
    const after = await readFileIfExists(paths.snapshot);
    if (before === undefined || after === undefined) throw empty(paths);
    try {
      if (!before.equals(after)) throw unsteady(paths);
      const files = new Map([[SNAPSHOT, after], ...keys, ...(await readConfig(paths))]);
      return { madeAt: new Date(now).toISOString(), files, state: verify(files, paths.snapshot) };
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

/** Every key that is in use is there and whole. `name` is what is looked at, for messages. */
function verify(files: ReadonlyMap<string, Buffer>, name: string): State {
  const snapshot = parseSnapshot(files.get(SNAPSHOT) ?? Buffer.alloc(0));
  if (snapshot.status !== 'healthy') {
    const why = snapshot.status === 'damaged' ? snapshot.why : 'a later version of gateway wrote it';
    throw new GatewayError(`the state in ${name} cannot be used: ${why}`, {
      code: 'StateCorrupt',
      retry: 'when-changed',
      hint: 'a gateway that starts mends it from state.db when it can: gateway up, then try again',
    });
  }
  for (const [key, fingerprint] of Object.entries(snapshot.state.keys)) verifyKey(files, key, fingerprint);
  return snapshot.state;
}

function verifyKey(files: ReadonlyMap<string, Buffer>, key: string, fingerprint: string): void {
  const hint = 'put it back from an earlier backup, or remove what uses it; then try again';
  const bytes = files.get(`keys/${key}.key`);
  if (bytes === undefined) {
    throw new GatewayError(`key ${key} is in use, but its file is gone`, { code: 'KeyMissing', hint });
  }
  const type = keyTypeOf(bytes);
  const secret = type === undefined ? 'it is not a key file' : parseKeyFile(bytes, type);
  const isSame =
    type !== undefined && typeof secret !== 'string' && fingerprintOf(type, secret) === fingerprint;
  if (isSame) return;
  const why = typeof secret === 'string' ? secret : 'it is another key than the one in use';
  throw new GatewayError(`key ${key} is damaged: ${why}`, { code: 'KeyCorrupt', hint });
}

async function readKeys(directory: string): Promise<[string, Buffer][]> {
  const found = await listFiles(directory);
  return readAll(found.map((path): [string, string] => [`keys/${relative(directory, path)}`, path]));
}

async function readConfig(paths: Paths): Promise<[string, Buffer][]> {
  const torrc = await listFiles(paths.torrcDirectory);
  return readAll([
    [CONFIG, paths.configFile],
    ...torrc.map((path): [string, string] => [`torrc.d/${relative(paths.torrcDirectory, path)}`, path]),
  ]);
}

/** What is no file of ours (an editor's, one that is being written) is left out. */
async function readAll(wanted: readonly [string, string][]): Promise<[string, Buffer][]> {
  const read = wanted
    .filter(([place]) => PLACE.test(place))
    .map(async ([place, path]) => [place, await readFileIfExists(path)] as const);
  return (await Promise.all(read)).flatMap(([place, bytes]): [string, Buffer][] =>
    bytes === undefined ? [] : [[place, bytes]],
  );
}

async function listFiles(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw fileError(`${directory} could not be read`, error);
  }
}

export function pack({ madeAt, files }: Contents): Uint8Array {
  const encoded = [...files].map(([place, bytes]) => [place, bytes.toString('base64')] as const);
  return Buffer.from(JSON.stringify({ madeAt, files: Object.fromEntries(encoded) }));
}

/** Everything is verified again: what a backup holds must be a gateway. */
export function unpack(content: Uint8Array, name: string): Contents {
  const parsed = Packed.safeParse(parseJson(content));
  if (!parsed.success) {
    throw new GatewayError(`${name} holds something that this version does not know; nothing was changed`, {
      code: 'BackupUnreadable',
      retry: 'never',
      hint: 'restore it with the version of gateway that made it, or a later one',
    });
  }
  const { madeAt, files: encoded } = parsed.data;
  const files = new Map(
    Object.entries(encoded).map(([place, text]): [string, Buffer] => [place, Buffer.from(text, 'base64')]),
  );
  return { madeAt, files, state: verify(files, name) };
}

function parseJson(content: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(content).toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function empty({ snapshot }: Paths): GatewayError {
  return new GatewayError(`there is nothing to back up: ${snapshot} does not exist`, {
    code: 'BackupEmpty',
    retry: 'when-changed',
    hint: 'name the right gateway with --root, or start one first: gateway up',
  });
}

function unsteady({ snapshot }: Paths): GatewayError {
  return new GatewayError(`${snapshot} changed all the time while it was read`, {
    code: 'Timeout',
    hint: 'try again when nothing is being changed',
  });
}
