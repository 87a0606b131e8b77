import { readdirSync } from 'node:fs';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { LAB_PREFIX, LABS } from './places.ts';
import { isAlive } from './processes.ts';
import { TopologySchema } from './topology.ts';

/** What a second terminal needs to find and enter a lab: `lab.json` in its folder. */
const Process = z.object({ pid: z.int(), startTime: z.number() });

export const LabRecord = z.object({
  version: z.literal(1),
  name: z.string(),
  startedAt: z.string(),
  /** Who builds or owns it. */
  creator: Process,
  /** False: ends with its creator. */
  isDetached: z.boolean(),
  areUsersMapped: z.boolean(),
  /** What this machine does not let it do, as sentences. */
  limits: z.array(z.string()),
  /** `unshare`, whose child is `init`; absent while the lab is being built. */
  launcher: Process.optional(),
  /** Process 1 of the lab. */
  init: Process.optional(),
  /** Process 1 of each node that has power; `boots` counts how often it was started. */
  nodes: z.record(z.string(), z.object({ holder: Process.optional(), boots: z.int() })),
  /** Lines for a Tor client in it. */
  torrc: z.string(),
  topology: TopologySchema,
});
export type LabRecord = z.infer<typeof LabRecord>;

export async function writeRecord(directory: string, record: LabRecord): Promise<void> {
  const file = join(directory, 'lab.json');
  await writeFile(`${file}.new`, JSON.stringify(record, undefined, 1), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** `undefined` when there is none. */
export async function readRecord(directory: string): Promise<LabRecord | undefined> {
  const file = join(directory, 'lab.json');
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const parsed = LabRecord.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new GatewayError(`${file} was written by another version of the gateway`, {
    code: 'LabFailed',
    retry: 'never',
    hint: `stop that lab with the version that started it, or remove ${directory}`,
    cause: parsed.error,
  });
}

export interface FoundLab {
  readonly directory: string;
  readonly record: LabRecord | undefined;
  readonly isAlive: boolean;
}

const YOUNG_MS = 60_000;

/** Every lab folder of this user, alive or left over. */
export async function findLabs(): Promise<FoundLab[]> {
  const uid = process.getuid?.();
  const found: FoundLab[] = [];
  for (const entry of readdirSync(LABS).filter((name) => name.startsWith(LAB_PREFIX))) {
    const directory = join(LABS, entry);
    const info = await stat(directory).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (info === undefined || info.uid !== uid) continue;
    const record = await recordOf(directory);
    if (record === 'foreign') continue;
    // Without a record it is being made this moment, or somebody died while making it.
    const isYoung = Date.now() - info.mtimeMs < YOUNG_MS;
    found.push({ directory, record, isAlive: record === undefined ? isYoung : isRecordAlive(record) });
  }
  return found;
}

/** A lab of another version of the gateway is that version's to end. */
async function recordOf(directory: string): Promise<LabRecord | undefined | 'foreign'> {
  try {
    return await readRecord(directory);
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'LabFailed') return 'foreign';
    throw error;
  }
}

/** A lab that is not detached has no right to outlive its creator. */
export function isRecordAlive({ creator, init, isDetached }: LabRecord): boolean {
  if (!isDetached && !isAlive(creator)) return false;
  return init === undefined ? isAlive(creator) : isAlive(init);
}
