import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf } from '../core/errors.ts';
import { Upstream } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { fileError, removeFile } from '../system/files.ts';
import { jsonOf } from './alias.ts';
import type { HelperEnvironment } from './environment.ts';

/**
 * One file for each namespace that we make, empty but for the list of its upstreams, written before it is made and removed after it is gone: what a kill
 * leaves half made is found again by it. Lies beside the sockets, so it goes at a power cut with the namespaces.
 */
export interface Mark {
  readonly namespace: string;
  /** Empty for the hub. */
  readonly service: string;
}

type Where = Pick<HelperEnvironment, 'directories'>;

function directoryOf(environment: Where): string {
  return join(environment.directories.run, 'namespaces');
}

/** Of a service whose namespace is not ours; no namespace of ours is called so. */
export const ENTERED = '@';

function fileOf(environment: Where, network: Pick<Network, 'prefix'>, mark: Mark): string {
  return join(directoryOf(environment), `${network.prefix}-${mark.namespace}=${mark.service}`);
}

export async function addMark(
  environment: Where,
  network: Pick<Network, 'prefix'>,
  mark: Mark,
  upstreams: readonly Upstream[] = [],
): Promise<void> {
  const text = upstreams.length === 0 ? '' : JSON.stringify(upstreams);
  try {
    await mkdir(directoryOf(environment), { recursive: true, mode: 0o755 });
    await writeFile(fileOf(environment, network, mark), text);
  } catch (error) {
    throw fileError(`the mark of namespace ${mark.namespace} could not be written`, error);
  }
}

export async function removeMark(
  environment: Where,
  network: Pick<Network, 'prefix'>,
  mark: Mark,
): Promise<void> {
  await removeFile(fileOf(environment, network, mark));
}

/** Of this prefix only. */
export async function listMarks(environment: Where, network: Pick<Network, 'prefix'>): Promise<Mark[]> {
  const start = `${network.prefix}-`;
  const names = await readdir(directoryOf(environment)).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw fileError('the marks of our namespaces could not be read', error);
  });
  return names.flatMap((name) => {
    const [namespace, service] = name.slice(start.length).split('=');
    const isOurs = name.startsWith(start) && namespace !== undefined && service !== undefined;
    return isOurs ? [{ namespace, service }] : [];
  });
}

/** What the alias of the link says of the list, so that a list which is not the one in force is noticed. */
export function digestOf(upstreams: readonly Upstream[] | undefined): string | undefined {
  if (upstreams === undefined) return undefined;
  return createHash('sha256').update(JSON.stringify(upstreams)).digest('hex').slice(0, 8);
}

/** `undefined` when the mark holds none, or nothing that we would have written. */
export async function upstreamsOf(
  environment: Where,
  network: Pick<Network, 'prefix'>,
  mark: Mark,
): Promise<Upstream[] | undefined> {
  const text = await readFile(fileOf(environment, network, mark), 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return '';
    throw fileError(`the mark of namespace ${mark.namespace} could not be read`, error);
  });
  const parsed = z.array(Upstream).safeParse(text === '' ? undefined : jsonOf(text));
  return parsed.success ? parsed.data : undefined;
}
