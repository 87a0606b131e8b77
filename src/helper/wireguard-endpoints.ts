import { join } from 'node:path';
import { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import { parseEndpoint } from '../core/inet.ts';
import type { Peer } from '../core/operations.ts';
import { writeFileAtomic } from '../system/files.ts';
import type { HelperEnvironment } from './environment.ts';
import { readPlain } from './owned-directory.ts';

/**
 * Where each device was last, kept on disk beside the state: after a power cut or when the interface was made anew, we
 * go to the devices, which otherwise wait 15 s before they come to us. Lost or damaged, it costs those seconds.
 */
export interface LastSeen {
  /** Its address in the pool. */
  readonly address: string;
  /** Address and port that its packets came from. */
  readonly endpoint: string;
}

const File = z.record(z.string(), z.object({ address: z.ipv4(), endpoint: z.string() }));

/** A session lasts this long (REJECT_AFTER_TIME). One without waits for nothing: it comes when it has something to say. */
const SESSION_SECONDS = 180;

export function isSession(latestHandshake: number, nowSeconds: number): boolean {
  return nowSeconds - latestHandshake < SESSION_SECONDS;
}

type Environment = Pick<HelperEnvironment, 'directories' | 'log'>;

function pathOf({ directories }: Environment, name: string): string {
  return join(directories.state, `${name}.endpoints`);
}

/** By public key. */
export async function readEndpoints(
  environment: Environment,
  name: string,
): Promise<ReadonlyMap<string, LastSeen>> {
  const text = (await readPlain(pathOf(environment, name)))?.toString() ?? '{}';
  const found = File.safeParse(jsonOf(text)).data ?? {};
  const isPlace = ({ endpoint }: LastSeen): boolean => (parseEndpoint(endpoint)?.type ?? 'name') !== 'name';
  return new Map(Object.entries(found).filter(([, last]) => isPlace(last)));
}

/** Written only when it differs: a phone at rest must not wear a memory card. */
export async function saveEndpoints(
  environment: Environment,
  name: string,
  peers: readonly Pick<Peer, 'publicKey' | 'address' | 'endpoint' | 'latestHandshake'>[],
  nowSeconds: number,
): Promise<void> {
  if (peers.length === 0) return;
  const before = await readEndpoints(environment, name);
  // Peers that are not there yet are about to be set again, after a power cut.
  const after = new Map(before);
  for (const { publicKey, address, endpoint, latestHandshake } of peers) {
    after.delete(publicKey);
    if (endpoint !== undefined && address !== '' && isSession(latestHandshake, nowSeconds)) {
      after.set(publicKey, { address, endpoint });
    }
  }
  await write(environment, name, before, after);
}

export async function forgetEndpoint(
  environment: Environment,
  name: string,
  publicKey: string,
): Promise<void> {
  const before = await readEndpoints(environment, name);
  const after = new Map(before);
  if (after.delete(publicKey)) await write(environment, name, before, after);
}

async function write(
  environment: Environment,
  name: string,
  before: ReadonlyMap<string, LastSeen>,
  after: ReadonlyMap<string, LastSeen>,
): Promise<void> {
  const textOf = (all: ReadonlyMap<string, LastSeen>): string =>
    JSON.stringify(Object.fromEntries([...all].sort(([a], [b]) => (a < b ? -1 : 1))));
  if (textOf(before) === textOf(after)) return;
  try {
    await writeFileAtomic(pathOf(environment, name), textOf(after), { mode: 0o600 });
  } catch (error) {
    // A full disk must not keep us from looking, nor from revoking.
    if (!(error instanceof GatewayError)) throw error;
    environment.log('warn', 'where devices were last could not be saved', { why: error.message });
  }
}

function jsonOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
