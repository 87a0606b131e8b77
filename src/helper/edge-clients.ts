import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import type { EdgeClient } from '../core/operations.ts';
import { writeFileAtomic } from '../system/files.ts';
import { ownedBy } from './edge-certificate-files.ts';
import { CLIENTS_MAP, SEATS } from './edge-devices.ts';
import { inEdgeDirectory, type EdgeDirectory } from './edge-directory.ts';
import { findOneOfEdge, findWorkers } from './edge-process.ts';
import { tellEdge, tellWorker } from './edge-socket.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { readPlain } from './owned-directory.ts';

/**
 * Devices that are let in by certificate: lines `service/fingerprint device` of a map, and `service/unlock/fingerprint
 * device` where they may open a wallet, on disk for HAProxy's next start
 * and in the running one. That one is told first: what a file says and nobody heard would look done.
 */
export const setClient: Handler<'edge.client'> = ({ client }, environment, signal) =>
  inEdgeDirectory(environment, async (directory) => {
    await change(client.name, linesOf(client), directory, environment, signal);
    return {};
  });

export const removeClient: Handler<'edge.client.remove'> = ({ name }, environment, signal) =>
  inEdgeDirectory(environment, async (directory) => {
    await change(name, [], directory, environment, signal);
    return {};
  });

interface Line {
  readonly key: string;
  readonly name: string;
}

function linesOf({ name, fingerprint, services, unlocks = [] }: EdgeClient): Line[] {
  return [
    ...services.map((service) => ({ key: `${service}/${fingerprint}`, name })),
    ...unlocks.map((service) => ({ key: `${service}/unlock/${fingerprint}`, name })),
  ];
}

async function change(
  name: string,
  wanted: readonly Line[],
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const before = await readLines(directory);
  const keys = new Set(wanted.map(({ key }) => key));
  const lost = before.filter((line) => line.name === name && !keys.has(line.key)).map(({ key }) => key);
  if ((await findOneOfEdge(environment)) !== undefined) {
    for (const line of wanted) await letIn(line, environment, signal);
    if (lost.length > 0) await shutOut(lost, environment, signal);
  }
  const after = [...before.filter((line) => line.name !== name), ...wanted];
  const text = after.map((line) => `${line.key} ${line.name}\n`).sort();
  await writeFileAtomic(join(directory.base, CLIENTS_MAP), text.join(''), ownedBy(environment));
}

async function letIn(
  { key, name }: Line,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  await tellEdge(environment, `del map ${CLIENTS_MAP} ${key}`, signal);
  const said = await tellEdge(environment, `add map ${CLIENTS_MAP} ${key} ${name}`, signal);
  if (said.trim() === '') return;
  throw new GatewayError(`HAProxy did not take the certificate of device ${name}: ${said.trim()}`, {
    code: 'EdgeUnavailable',
  });
}

/** From every worker, also those that were replaced and finish what is open; then what is open ends. */
async function shutOut(
  keys: readonly string[],
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  for (const pid of await findWorkers(environment)) {
    const tell = (command: string): Promise<string> => tellWorker(pid, environment, command, signal);
    for (const key of keys) await tell(`del map ${CLIENTS_MAP} ${key}`);
    const left = await tell(`show map ${CLIENTS_MAP}`);
    const kept = keys.find((key) => left.includes(` ${key} `));
    if (kept !== undefined) {
      throw new GatewayError(`HAProxy (process ${pid}) still lets ${kept} in`, { code: 'EdgeUnavailable' });
    }
    const seats = seatsOf(keys, await tell(`show table ${SEATS}`));
    // Where a connection comes in its session has that name; the inner one has that of a socket.
    for (const [, id, seat] of (await tell('show sess')).matchAll(/^(0x[0-9a-f]+): proto=\S+ src=(\S+) /gm)) {
      if (seats.has(seat ?? '')) await tell(`shutdown session ${id}`);
    }
  }
}

/** `address:port`, the name of each connection by which one of these came in. */
function seatsOf(keys: readonly string[], table: string): ReadonlySet<string> {
  const taken = [...table.matchAll(/ key=([^ ,]+),(\S+) /g)];
  return new Set(taken.filter(([, key]) => keys.includes(key ?? '')).map(([, , seat]) => seat ?? ''));
}

/** What is on disk, sorted by device. */
export async function listClients(directory: EdgeDirectory): Promise<EdgeClient[]> {
  const clients = new Map<string, EdgeClient>();
  for (const { key, name } of await readLines(directory)) {
    const words = key.split('/');
    const [service = '', fingerprint = ''] = [words[0], words.at(-1)];
    const id = `${name}/${fingerprint}`;
    const { services = [], unlocks = [] } = clients.get(id) ?? {};
    const may = words.length > 2 ? [...unlocks, service].sort() : unlocks;
    const reached = words.length > 2 ? services : [...services, service].sort();
    clients.set(id, { name, fingerprint, services: reached, ...(may.length === 0 ? {} : { unlocks: may }) });
  }
  return [...clients.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Empty where there is none: HAProxy does not start without it. */
export async function ensureClients(directory: EdgeDirectory, environment: HelperEnvironment): Promise<void> {
  const file = join(directory.base, CLIENTS_MAP);
  if ((await readPlain(file)) === undefined) await writeFileAtomic(file, '', ownedBy(environment));
}

async function readLines(directory: EdgeDirectory): Promise<Line[]> {
  const text = (await readPlain(join(directory.base, CLIENTS_MAP)))?.toString() ?? '';
  return text.split('\n').flatMap((line) => {
    const [key, name] = line.split(' ');
    return key === undefined || name === undefined ? [] : [{ key, name }];
  });
}
