import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, GatewayError } from '../core/errors.ts';
import type { OnionSpec } from '../core/operations.ts';
import { fileError, removeFile, writeFileAtomic } from '../system/files.ts';
import { parseClientFile, renderClientFile } from '../wire/onion.ts';
import type { UserIds } from './environment.ts';
import { openOwned, readPlain } from './owned-directory.ts';

/**
 * `authorized_clients/` of one onion service: a file a device. tor lets everybody in when it holds no key that it
 * understands, so an onion that asks for keys and whose files are not exactly these counts as damaged and is left out.
 * The gateway's own visitor is always among them.
 */
const DIRECTORY = 'authorized_clients';
const SUFFIX = '.auth';
/** Names of devices begin with a letter. */
const VISITOR = '0-gateway';
/** Another key of nobody makes the descriptor another one (tor-announce.ts); the next change of devices takes it away. */
const NOBODY = '0-nobody';

/** What is not wanted goes last: who is let in stays so while the rest is exchanged. */
export async function writeClients(
  path: string,
  { service, authorization }: OnionSpec,
  visitor: string | undefined,
  owner: UserIds,
): Promise<void> {
  const handle = await openOwned(join(path, DIRECTORY), owner, 0o700);
  try {
    // Of tor's user, who must not lead root elsewhere by a link: reached by what was opened.
    const directory = `/proc/self/fd/${handle.fd}`;
    const own = visitor ?? (await visitorIn(directory));
    const wanted = filesOf(service, authorization, own);
    for (const [name, content] of wanted) {
      const file = join(directory, name);
      if ((await readPlain(file))?.toString() === content) continue;
      await writeFileAtomic(file, content, { mode: 0o600, owner });
    }
    for (const name of await readdir(directory)) {
      if (!wanted.has(name)) await removeFile(join(directory, name));
    }
  } catch (error) {
    throw fileError(`the clients of the onion service of ${service} could not be written`, error);
  } finally {
    await handle.close();
  }
}

function filesOf(
  service: string,
  authorization: OnionSpec['authorization'],
  visitor: string | undefined,
): Map<string, string> {
  if (authorization === undefined) return new Map();
  if (visitor === undefined) {
    throw new GatewayError(`the gateway's own key for the onion service of ${service} is not known`, {
      code: 'KeyMissing',
      retry: 'when-changed',
      hint: 'put keys/onion-visitor/gateway.key back from a backup',
    });
  }
  const clients = authorization.clients.map(({ name, key }): [string, string] => [name, key]);
  const all: [string, string][] = [[VISITOR, visitor], ...clients];
  return new Map(all.map(([name, key]) => [`${name}${SUFFIX}`, renderClientFile(key)]));
}

export async function putNobody(path: string, key: string, owner: UserIds): Promise<void> {
  const handle = await openOwned(join(path, DIRECTORY), owner, 0o700);
  try {
    const file = `/proc/self/fd/${handle.fd}/${NOBODY}${SUFFIX}`;
    await writeFileAtomic(file, renderClientFile(key), { mode: 0o600, owner });
  } finally {
    await handle.close();
  }
}

async function visitorIn(directory: string): Promise<string | undefined> {
  const text = (await readPlain(join(directory, `${VISITOR}${SUFFIX}`)))?.toString();
  return text === undefined ? undefined : parseClientFile(text);
}

export interface SeenClients {
  /** Public key of the gateway's own visitor. */
  readonly visitor?: string;
  readonly damaged?: string;
}

/** Are the files of an onion service exactly those that its spec asks for? */
export async function seeClients(path: string, { authorization }: OnionSpec): Promise<SeenClients> {
  if (authorization === undefined) return {};
  const directory = join(path, DIRECTORY);
  const names = await list(directory);
  const wanted = new Map(authorization.clients.map(({ name, key }) => [`${name}${SUFFIX}`, key]));
  const visitor = await visitorIn(directory);
  const ours = [VISITOR, NOBODY].map((name) => `${name}${SUFFIX}`);
  const found = names.filter((name) => name.endsWith(SUFFIX) && !ours.includes(name));
  const isExact = found.length === wanted.size && (await areAll(directory, wanted));
  return {
    ...(visitor === undefined ? {} : { visitor }),
    ...(isExact && visitor !== undefined
      ? {}
      : { damaged: `${DIRECTORY} does not hold the keys that were given` }),
  };
}

async function areAll(directory: string, wanted: ReadonlyMap<string, string>): Promise<boolean> {
  for (const [name, key] of wanted) {
    if ((await readPlain(join(directory, name)))?.toString() !== renderClientFile(key)) return false;
  }
  return true;
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw fileError(`${directory} could not be read`, error);
  }
}
