import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf } from '../core/errors.ts';
import { NetworkSpec, type EdgeSpec } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { doorOf, twinOf } from '../core/ula.ts';
import { fileError, removeFile, writeFileAtomic } from '../system/files.ts';
import { isNetns, netnsPath } from '../system/netns.ts';
import { loadRules } from '../system/nft.ts';
import { DESCRIPTION, LIFE_LINES, quote } from './edge-config.ts';
import { inEdgeDirectory, type EdgeDirectory } from './edge-directory.ts';
import { endEdge, findOneOfEdge, startEdge } from './edge-process.ts';
import { askEdge } from './edge-socket.ts';
import type { HelperEnvironment } from './environment.ts';
import { hubNetns, TABLE } from './names.ts';
import { jsonAfter } from './own-comments.ts';
import { readPlain } from './owned-directory.ts';
import { DOOR_PORT } from './rules.ts';
import { readTable } from './table.ts';

/**
 * How devices come to the edge when they ask for a page at its address in the pool:
 *
 *   device ─ WireGuard ─ hub, which lets through what was granted and no more, and leads it (map `doors`) to
 *   the door, an HAProxy in the hub that never changes ─ unix socket, PROXY v2 ─ the edge, which sees device and page
 *
 * So no firewall of the host is in between, as on the direct way. Over IPv4 the kernel tells the door which page was asked
 * for (SO_ORIGINAL_DST); over IPv6 HAProxy does not ask it, so there each page has an address of its own behind the map.
 */
type Doors = NonNullable<EdgeSpec['doors']>;

/** The same functions as for the edge, for the other process. */
function ofDoor(environment: HelperEnvironment): HelperEnvironment {
  const { paths } = environment;
  const { doorState: edgeState, doorRun: edgeRun } = paths;
  const sockets = {
    edgeSocket: join(edgeRun, 'haproxy.sock'),
    edgePid: join(edgeRun, 'pid'),
    edgeMaster: join(edgeRun, 'master.sock'),
  };
  return { ...environment, edgeUnit: 'gateway-door', paths: { ...paths, edgeState, edgeRun, ...sockets } };
}

/** Up, and every page led to it. When there is none, nothing new is led there, and what is open goes on. */
export async function bringUpDoor(
  { doors }: EdgeSpec,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const door = ofDoor(environment);
  if (doors === undefined && !(await isThere(door.paths.edgeState))) return;
  await inEdgeDirectory(door, async (directory) => {
    if (doors === undefined) return leadNowhere(directory, signal);
    const { text, hash } = renderDoor(doors.network, environment);
    if ((await troubleOf(doors.network, hash, door, signal)) !== undefined) {
      await endEdge(door, signal);
      const owner = { uid: process.getuid?.() ?? 0, gid: environment.edge.gid };
      await writeFileAtomic(join(directory.base, CONFIG), text, { mode: 0o640, owner });
      const netns = netnsPath(hubNetns(doors.network));
      await startEdge(hash, door, directory, signal, { netns, capabilities: [] });
    }
    await lead(doors, signal);
  });
}

/** Why devices do not come to the edge as they should; `undefined`: they do, or none is to. */
export async function doorTrouble(
  { doors }: EdgeSpec,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (doors === undefined) return undefined;
  const { hash } = renderDoor(doors.network, environment);
  const trouble = await troubleOf(doors.network, hash, ofDoor(environment), signal);
  if (trouble !== undefined) return trouble;
  return isLed(doors, await standing(doors.network, signal)) ? undefined : 'devices are not led to HAProxy';
}

/** With everything that devices have open there. */
export async function endDoor(environment: HelperEnvironment, signal: AbortSignal): Promise<void> {
  const door = ofDoor(environment);
  if (!(await isThere(door.paths.edgeState))) return;
  await inEdgeDirectory(door, async (directory) => {
    await leadNowhere(directory, signal);
    await endEdge(door, signal);
    await removeFile(join(directory.base, CONFIG));
  });
}

async function troubleOf(
  network: Network,
  hash: string,
  door: HelperEnvironment,
  signal: AbortSignal,
): Promise<string | undefined> {
  const pid = await findOneOfEdge(door);
  if (pid === undefined) return 'HAProxy is not running in the hub';
  // A hub that was made anew is another one, and the process has stayed in the old one.
  const [mine, hub] = await Promise.all([
    numberOf(`/proc/${pid}/ns/net`),
    numberOf(netnsPath(hubNetns(network))),
  ]);
  if (mine === undefined || mine !== hub) return 'HAProxy lives in a hub that is gone';
  try {
    const { loadedHash } = await askEdge(door, signal);
    return loadedHash === hash ? undefined : 'HAProxy in the hub has another configuration';
  } catch (error) {
    if (signal.aborted) throw error;
    return 'HAProxy in the hub does not answer';
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await numberOf(path)) !== undefined;
}

/** Of a file; of a network namespace it is the same for two names of one. */
async function numberOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '')) return undefined;
    throw fileError(`${path} could not be looked at`, error);
  }
}

const CONFIG = 'haproxy.cfg';
const HUB = '# hub: ';

/** The same for all pages: which one was asked for, it only passes on. */
function renderDoor(
  network: Network,
  environment: HelperEnvironment,
): { readonly text: string; readonly hash: string } {
  const { edgeSocket } = ofDoor(environment).paths;
  const body = [
    '    default-path config',
    `    stats socket ${quote(edgeSocket)} mode 600 level admin expose-fd listeners`,
    '    fd-hard-limit 65536',
    '',
    'defaults',
    ...LIFE_LINES,
    'frontend gateway.door',
    `    bind 0.0.0.0:${DOOR_PORT}`,
    ...(network.ula === undefined ? [] : [`    bind :::${DOOR_PORT} v6only`]),
    '    maxconn 10000',
    '    default_backend gateway.edge',
    'backend gateway.edge',
    `    server edge unix@${quote(environment.paths.edgeDoor)} send-proxy-v2`,
    '',
  ].join('\n');
  const head = `# Written by gateway; changes are overwritten.\n${HUB}${JSON.stringify(network)}`;
  const hash = createHash('sha256').update(head).update(body).digest('hex');
  return { text: `${head}\nglobal\n${DESCRIPTION}${hash}\n${body}`, hash };
}

type Pairs = ReadonlyMap<'doors' | 'doors6', readonly string[]>;

/** `10.64.1.2 . 8080 : 10.64.0.1 . 7080`, and its twin. */
function pairsOf({ network, services }: Doors): Pairs {
  const four = services.map(({ address, port }) => `${address} . ${port} : ${network.hub} . ${DOOR_PORT}`);
  const six = services.flatMap(({ address, port }) => {
    const [from, to] = [twinOf(network, address), doorOf(network, address)];
    return from === undefined || to === undefined ? [] : [`${from} . ${port} : ${to} . ${DOOR_PORT}`];
  });
  return new Map([
    ['doors', four],
    ['doors6', six],
  ]);
}

/** As `nft` lists an element: `[{ concat: ['10.64.1.2', 8080] }, { concat: ['10.64.0.1', 7080] }]` */
const End = z.object({ concat: z.tuple([z.string(), z.number()]) });
const Pair = z.tuple([End, End]);

async function standing(network: Network, signal: AbortSignal): Promise<Pairs> {
  const table = await readTable(hubNetns(network), signal);
  const of = (name: string): string[] =>
    (table?.sets.get(name) ?? []).map((element) =>
      Pair.parse(element)
        .map(({ concat }) => concat.join(' . '))
        .join(' : '),
    );
  return new Map([
    ['doors', of('doors')],
    ['doors6', of('doors6')],
  ]);
}

function isLed(doors: Doors, there: Pairs): boolean {
  return [...pairsOf(doors)].every(([name, wanted]) => {
    const found = new Set(there.get(name));
    return found.size === wanted.length && wanted.every((pair) => found.has(pair));
  });
}

/** Of what one transaction holds (flow-sets.ts). */
const PAIRS_AT_ONCE = 1000;

/** New connections alone: those that are open go where they went. */
async function lead(doors: Doors, signal: AbortSignal): Promise<void> {
  const { network } = doors;
  if (isLed(doors, await standing(network, signal))) return;
  for (const [name, pairs] of pairsOf(doors)) {
    if (name === 'doors6' && network.ula === undefined) continue;
    for (let from = 0; from === 0 || from < pairs.length; from += PAIRS_AT_ONCE) {
      const some = pairs.slice(from, from + PAIRS_AT_ONCE);
      const flush = from === 0 ? `flush map inet ${TABLE} ${name}\n` : '';
      const add = some.length === 0 ? '' : `add element inet ${TABLE} ${name} { ${some.join(', ')} }\n`;
      await loadRules(hubNetns(network), `${flush}${add}`, signal);
    }
  }
}

async function leadNowhere({ base }: EdgeDirectory, signal: AbortSignal): Promise<void> {
  const lines = (await readPlain(join(base, CONFIG)))?.toString().split('\n') ?? [];
  const network = NetworkSpec.safeParse(jsonAfter(lines, HUB)).data;
  if (network === undefined || !(await isNetns(hubNetns(network)))) return;
  if ((await readTable(hubNetns(network), signal))?.sets.has('doors') !== true) return;
  await lead({ network, services: [] }, signal);
}
