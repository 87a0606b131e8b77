import { createHash, randomUUID } from 'node:crypto';
import { cp, mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../core/errors.ts';
import { labCacheFolder } from './places.ts';
import { keysExpire, makeTorKeys } from './tor-keys.ts';
import { readConsensus, type Relay } from './tor-network.ts';

/**
 * Keys and consensus of a private Tor network are kept from lab to lab: making them takes ten seconds, reusing them
 * none. Each save is a folder of its own, and the link `latest` moves to it, so that labs may start and save at once.
 */
const FRESH_MS = 20 * 3_600_000;
const MONTH_MS = 30 * 86_400_000;

/** Files of a relay that mean something elsewhere. */
const KEPT =
  /^(keys|fingerprint.*|state|cached-.*|v3-status-votes|sr-state|router-stability|key-pinning-journal)$/;
const KEYS_ONLY = /^(keys|fingerprint.*)$/;

export interface TorState {
  readonly relays: readonly Relay[];
  /** It holds a consensus of today: relays agree as soon as they run. */
  readonly isWarm: boolean;
}

/** Fills `directory` with the kept network for these addresses, the last `exits` of them exits, or makes a new one. */
export async function prepareTorState(
  directory: string,
  addresses: readonly string[],
  exits: number,
  signal: AbortSignal,
): Promise<TorState> {
  await mkdir(dirname(directory), { recursive: true });
  await mkdir(directory, { mode: 0o700, recursive: true });
  const kept = await latest(addresses, exits);
  if (kept !== undefined) {
    const relays = await restore(kept, directory);
    if (relays !== undefined) return relays;
  }
  return { relays: await makeTorKeys(directory, addresses, exits, signal), isWarm: false };
}

async function restore(kept: string, directory: string): Promise<TorState | undefined> {
  const relays = JSON.parse(await readFile(join(kept, 'relays.json'), 'utf8')) as Relay[];
  if ((await keysExpire(kept, relays)).getTime() - Date.now() < MONTH_MS) return undefined;
  const isWarm = await isFresh(kept, relays);
  await copyState(kept, directory, relays, isWarm ? KEPT : KEYS_ONLY);
  return { relays, isWarm };
}

async function isFresh(directory: string, relays: readonly Relay[]): Promise<boolean> {
  const consensus = await consensusOf(directory, relays);
  const age = Date.now() - (consensus?.validAfter.getTime() ?? 0);
  return consensus?.relays === relays.length && age > -60_000 && age < FRESH_MS;
}

/** What the first relay knows of the network. */
export async function consensusOf(
  directory: string,
  relays: readonly Relay[],
): Promise<ReturnType<typeof readConsensus>> {
  const file = join(directory, relays[0]?.name ?? '', 'cached-microdesc-consensus');
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  });
  return readConsensus(text);
}

/** Keeps the state of a running network for the next lab. */
export async function saveTorState(directory: string, relays: readonly Relay[]): Promise<void> {
  const exits = relays.filter(({ isExit }) => isExit).length;
  const folder = networkFolder(
    relays.map(({ address }) => address),
    exits,
  );
  const name = `${Date.now()}-${randomUUID()}`;
  const making = join(folder, `.${name}`);
  await mkdir(making, { recursive: true, mode: 0o700 });
  await copyState(directory, making, relays, KEPT);
  await rename(making, join(folder, name));
  const link = join(folder, `.latest-${name}`);
  await symlink(name, link);
  await rename(link, join(folder, 'latest'));
  await removeOlder(folder, name);
}

async function copyState(from: string, to: string, relays: readonly Relay[], files: RegExp): Promise<void> {
  await cp(join(from, 'relays.json'), join(to, 'relays.json'));
  await Promise.all(
    relays.map(async ({ name }) => {
      await mkdir(join(to, name), { mode: 0o700 });
      const entries = (await readdir(join(from, name))).filter((entry) => files.test(entry));
      await Promise.all(
        entries.map((entry) => cp(join(from, name, entry), join(to, name, entry), { recursive: true })),
      );
    }),
  );
}

async function latest(addresses: readonly string[], exits: number): Promise<string | undefined> {
  const folder = networkFolder(addresses, exits);
  try {
    return join(folder, await readlink(join(folder, 'latest')));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** An hour's grace: another lab may be copying the one before. */
async function removeOlder(folder: string, current: string): Promise<void> {
  const limit = Date.now() - 3_600_000;
  const old = (await readdir(folder)).filter(
    (entry) => entry !== current && Number.parseInt(entry, 10) < limit,
  );
  await Promise.all(old.map((entry) => rm(join(folder, entry), { recursive: true, force: true })));
}

function networkFolder(addresses: readonly string[], exits: number): string {
  const words = exits === 1 ? addresses : [...addresses, `${exits} exits`];
  const key = createHash('sha256').update(words.join(' ')).digest('hex').slice(0, 12);
  return join(labCacheFolder(), 'tor', key);
}
