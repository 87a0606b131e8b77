import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';
import { fileError } from '../system/files.ts';
import { edgeConfigFile, ensureEdgeRun, type EdgeDirectory } from './edge-directory.ts';
import { askEdge, tellWorker } from './edge-socket.ts';
import type { HelperEnvironment } from './environment.ts';
import {
  endProcesses,
  findEveryProcess,
  findProcesses,
  isAlive,
  parentOf,
  rotateLog,
  signalProcess,
  type Likeness,
} from './outliving.ts';
import type { Capability } from './run-as.ts';
import { startOutliving } from './supervise.ts';

/** Services keep their ports, 443 too. A sysctl that allows low ports would allow them to every user of the machine. */
const CAPABILITIES: readonly Capability[] = ['net_bind_service'];
const POLL_MS = 20;
const LOAD_TIMEOUT_MS = 10_000;
const NUDGE_MS = 2000;

/**
 * `-W`: a master that stays, and a worker for each configuration; a worker that was replaced ends with its last
 * connection. `-db`: no fork into the background; the session is ours to make.
 */
function edgeArguments(environment: HelperEnvironment): [string, ...string[]] {
  const { edgePid, edgeMaster } = environment.paths;
  return ['haproxy', '-W', '-S', edgeMaster, '-db', '-p', edgePid, '-f', edgeConfigFile(environment)];
}

/** Master and workers; a worker's own words come before ours. */
function likenessOf(environment: HelperEnvironment): Likeness {
  const expected = edgeArguments(environment).slice(1);
  return {
    program: 'haproxy',
    uid: environment.edge.uid,
    pidFile: environment.paths.edgePid,
    isOurs: (words) => words.slice(-expected.length).join('\0') === expected.join('\0'),
  };
}

/** The master, or what is left without one. Quick while its pid file is right: asked at every pass. */
export async function findOneOfEdge(environment: HelperEnvironment): Promise<number | undefined> {
  return (await findProcesses(likenessOf(environment)))[0];
}

/** All of them: the master, the worker, and workers that were replaced and have connections left. */
export function findEdge(environment: HelperEnvironment): Promise<number[]> {
  return findEveryProcess(likenessOf(environment));
}

export async function endEdge(environment: HelperEnvironment, signal: AbortSignal): Promise<void> {
  const likeness = likenessOf(environment);
  await endProcesses(await findEveryProcess(likeness), likeness, signal);
}

/** Where it lives, and what it may. */
export interface Life {
  /** Path of its network namespace; absent: the host's. */
  readonly netns?: string;
  readonly capabilities: readonly Capability[];
}

/** Starts HAProxy in a session of its own and waits until it answers with the configuration of this hash. */
export async function startEdge(
  hash: string,
  environment: HelperEnvironment,
  directory: EdgeDirectory,
  signal: AbortSignal,
  life: Life = { capabilities: CAPABILITIES },
): Promise<void> {
  await ensureEdgeRun(environment);
  const logFile = join(directory.base, 'haproxy.log');
  await rotateLog(logFile);
  const from = await sizeOf(logFile);
  const { paths } = environment;
  const pid = await startOutliving(
    {
      unit: environment.edgeUnit ?? 'gateway-edge',
      ...life,
      argv: edgeArguments(environment),
      user: environment.edge,
      writable: [paths.edgeState, paths.edgeRun, paths.onionDoors],
      logFile,
      env: { PATH: process.env['PATH'] ?? '' },
    },
    signal,
  );
  environment.log('info', 'haproxy started', { pid });
  const hasFailed = async (): Promise<boolean> => !(await isAlive(pid));
  await waitUntilLoaded({ what: 'start', hash, environment, logFile, from, hasFailed, signal });
}

/** The running one takes its new configuration, or keeps the old one when it cannot; no connection is lost. */
export async function reloadEdge(
  hash: string,
  environment: HelperEnvironment,
  directory: EdgeDirectory,
  signal: AbortSignal,
): Promise<void> {
  const logFile = join(directory.base, 'haproxy.log');
  const from = await sizeOf(logFile);
  const replaced = await findWorkers(environment);
  const nudge = async (): Promise<void> => signalProcess(await findMaster(environment), 'SIGUSR2');
  await nudge();
  const hasFailed = async (): Promise<boolean> => /Loading failure/.test(await readFrom(logFile, from));
  await waitUntilLoaded({ what: 'reload', hash, environment, logFile, from, hasFailed, nudge, signal });
  for (const pid of replaced) await untilStopping(pid, environment, signal);
}

/**
 * For a moment both workers listen on one socket of control, and the next worker would ask either for the sockets of
 * visitors: from one that has let go of them it gets none, makes its own, and who waits at the old ones is cut off.
 */
async function untilStopping(
  pid: number,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + LOAD_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const said = await tellWorker(pid, environment, 'show info', signal);
    // One that has ended is not known to the master.
    if (!/^Stopping: 0$/m.test(said)) return;
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** The worker that takes connections, and those that were replaced and have some left. */
export async function findWorkers(environment: HelperEnvironment): Promise<number[]> {
  const pids = await findEdge(environment);
  const parents = await Promise.all(pids.map(parentOf));
  return pids.filter((_pid, index) => pids.includes(parents[index] ?? 0));
}

async function findMaster(environment: HelperEnvironment): Promise<number> {
  const pids = await findEdge(environment);
  for (const pid of pids) {
    const parent = await parentOf(pid);
    if (parent !== undefined && !pids.includes(parent)) return pid;
  }
  throw new GatewayError('HAProxy ended while it was to be reloaded', { code: 'EdgeUnavailable' });
}

interface Waiting {
  readonly what: 'start' | 'reload';
  readonly hash: string;
  readonly environment: HelperEnvironment;
  readonly logFile: string;
  readonly from: number;
  readonly hasFailed: () => Promise<boolean>;
  /** A master that is about to be done with the reload before can miss the signal; one too many does no harm. */
  readonly nudge?: () => Promise<void>;
  readonly signal: AbortSignal;
}

async function waitUntilLoaded(waiting: Waiting): Promise<void> {
  const { what, hash, environment, logFile, from, hasFailed, nudge, signal } = waiting;
  const deadline = Date.now() + LOAD_TIMEOUT_MS;
  let nudgeAt = Date.now() + NUDGE_MS;
  for (;;) {
    const answer = await askEdge(environment, signal, 1000).catch((error: unknown) => messageOf(error));
    if (typeof answer !== 'string' && answer.loadedHash === hash) return;
    signal.throwIfAborted();
    const isOver = Date.now() > deadline;
    if (isOver || (await hasFailed())) {
      const said = complaintOf(await readFrom(logFile, from));
      const why = isOver ? `not done after ${LOAD_TIMEOUT_MS / 1000} s` : said;
      throw new GatewayError(`HAProxy did not ${what}: ${why}`, {
        code: 'EdgeUnavailable',
        hint: `see ${join(environment.paths.edgeState, 'haproxy.log')}`,
      });
    }
    if (Date.now() > nudgeAt) {
      nudgeAt += NUDGE_MS;
      await nudge?.();
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** The lines in which HAProxy complains, without process numbers. */
export function complaintOf(log: string): string {
  const complaints = log.split('\n').flatMap((line) => /^\[ALERT\]\s+\(\d+\) : (.*)$/.exec(line)?.[1] ?? []);
  return complaints.slice(0, 3).join(' / ') || 'it did not say why';
}

async function readFrom(file: string, offset: number): Promise<string> {
  return (await readFile(file)).subarray(offset).toString();
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw fileError(`${file} could not be examined`, error);
  }
}
