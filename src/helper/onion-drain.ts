import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { OnionSpec } from '../core/operations.ts';
import { removeFile, writeFileAtomic } from '../system/files.ts';
import { encodeBase32 } from '../wire/onion.ts';
import { writeClients } from './onion-clients.ts';
import { readKeyFiles, readMark, unmarkOnion } from './onion-directory.ts';
import { readPlain } from './owned-directory.ts';
import { countConnections, countUnixConnections } from './proc-net.ts';
import type { TorDirectory } from './tor-directory.ts';

/**
 * Onion services that are not wanted any more, and whose visitors may finish. `<service>.drain` beside the mark says so
 * before the mark goes. tor keeps the service, and with it the circuits, but leads nowhere new: to a socket that does not
 * exist. (A port that is not mapped makes it close the circuit.) The one client key in its descriptor is nobody's.
 */
const Drain = z.object({ spec: OnionSpec, untilMs: z.number(), nobody: z.string() });
export type Drain = z.infer<typeof Drain>;

const SUFFIX = '.drain';
const DRAIN_MS = 600_000;
/** What the service sent last is still in tor's queues when its connection is closed. */
const EMPTY_MS = 10_000;

/** By path of the note; a helper that was restarted waits anew. */
const emptySince = new Map<string, number>();

/**
 * `false`: there is no such onion here, or one that asks for keys: whoever is revoked while it drained would stay in, so it
 * ends at once.
 */
export async function noteDrain(directory: TorDirectory, service: string): Promise<boolean> {
  const spec = await readMark(directory, service);
  if (spec === undefined || spec.authorization !== undefined) return false;
  const nobody = encodeBase32(randomBytes(32)).toUpperCase();
  const drain: Drain = { spec, untilMs: Date.now() + DRAIN_MS, nobody };
  await writeFileAtomic(noteOf(directory, service), Buffer.from(JSON.stringify(drain)), { mode: 0o600 });
  return true;
}

/** Of all services, or of one. */
export async function forgetDrains(directory: TorDirectory, only?: string): Promise<void> {
  for (const service of await noted(directory)) {
    if (only === undefined || only === service) await removeFile(noteOf(directory, service));
  }
}

/** A process that ends serves nothing that is wanted, whatever goes first. */
export async function unmarkDrains(directory: TorDirectory): Promise<void> {
  for (const service of await noted(directory)) await unmarkOnion(directory, service);
}

/** Those that are not wanted, not late, and have visitors. */
export async function activeDrains(directory: TorDirectory): Promise<Drain[]> {
  const found = await Promise.all((await noted(directory)).map((service) => readDrain(directory, service)));
  return found.filter((drain) => drain !== undefined);
}

async function readDrain(directory: TorDirectory, service: string): Promise<Drain | undefined> {
  if ((await readMark(directory, service)) !== undefined) return undefined;
  const text = (await readPlain(noteOf(directory, service)))?.toString() ?? '';
  const drain = parseDrain(text);
  if (drain?.spec.service !== service || Date.now() > drain.untilMs) return undefined;
  return isEmpty(directory, drain) ? undefined : drain;
}

function isEmpty(directory: TorDirectory, { spec: { service, target }, untilMs }: Drain): boolean {
  const key = `${target.host}:${target.port} ${untilMs}`;
  const byDoor = countUnixConnections(directory.doorOf(service));
  if (byDoor + countConnections(directory.tor.uid, target) > 0) {
    emptySince.delete(key);
    return false;
  }
  const since = emptySince.get(key) ?? performance.now();
  emptySince.set(key, since);
  return performance.now() - since >= EMPTY_MS;
}

function parseDrain(text: string): Drain | undefined {
  try {
    return Drain.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Those that tor can go on with; from now on nobody new gets in, whatever they were given before. */
export async function barDrains(directory: TorDirectory): Promise<Drain[]> {
  const usable: Drain[] = [];
  const active = await activeDrains(directory);
  for (const service of await noted(directory)) {
    const isOver = (await readMark(directory, service)) === undefined;
    if (isOver && active.every(({ spec }) => spec.service !== service))
      await forgetDrains(directory, service);
  }
  for (const drain of active) {
    const spec = { ...drain.spec, authorization: { clients: [], round: 1 } };
    await writeClients(join(directory.onions, spec.service), spec, drain.nobody, directory.tor);
    const { damaged } = await readKeyFiles(directory, spec);
    if (damaged === undefined) usable.push(drain);
    else await forgetDrains(directory, spec.service);
  }
  return usable;
}

async function noted({ onions }: TorDirectory): Promise<string[]> {
  const names = await readdir(onions);
  return names
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .sort();
}

function noteOf({ onions }: TorDirectory, service: string): string {
  return join(onions, `${service}${SUFFIX}`);
}
