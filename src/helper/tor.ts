import { join } from 'node:path';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';
import { removeFile } from '../system/files.ts';
import { tellOnionName } from './edge-onion-names.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { forgetDrains, unmarkDrains } from './onion-drain.ts';
import { readOnions, sweepOnions, unmarkOnion, writeOnionFiles } from './onion-directory.ts';
import { askTor, giveTor } from './tor-control.ts';
import { giveWithout, letSettle } from './tor-give.ts';
import { hasTorDirectory, inTorDirectory, ofInstance, type TorDirectory } from './tor-directory.ts';
import { forgetEverywhere } from './tor-drain.ts';
import { noteAbsence, noteAnswer, noteMissed } from './tor-life.ts';
import { awaitAnswer, endTor, findTor, isStarting, startTor } from './tor-process.ts';
import { prepareTorrc, readTorrc, readTorrcText } from './torrc-file.ts';
import { currentProgram } from './tor-program.ts';
import { staleOnions, type Torrc } from './torrc.ts';

export const writeOnion: Handler<'tor.writeOnion'> = ({ instance, onion }, whole, signal) => {
  const environment = ofInstance(whole, instance);
  return inTorDirectory(environment, async (directory) => {
    // Wanted again, here or by another process: then nothing of it ends.
    await forgetEverywhere(whole, onion.service);
    await writeOnionFiles(onion, directory, environment, signal);
    if (onion.through === 'edge') await tellOnionName(onion.service, onion.hostname, whole, signal);
    return {};
  });
};

export const removeOnion: Handler<'tor.removeOnion'> = ({ instance, service }, whole, signal) => {
  const environment = ofInstance(whole, instance);
  return inTorDirectory(environment, async (directory) => {
    await unmarkOnion(directory, service);
    await sweep(directory, environment, signal);
    return {};
  });
};

export const writeTor: Handler<'tor.write'> = ({ instance, torrc }, whole, signal) => {
  const environment = ofInstance(whole, instance);
  return inTorDirectory(environment, async (directory) => {
    const written = await prepareTorrc(torrc, directory, environment, signal);
    await sweep(directory, environment, signal);
    return { torrcHash: written.hash, left: [...written.left] };
  });
};

export const observeTor: Handler<'tor.observe'> = async ({ instance }, whole, signal) => {
  const environment = ofInstance(whole, instance);
  if (!(await hasTorDirectory(environment))) return { running: false, left: [], onions: [] };
  return inTorDirectory(environment, async (directory) => {
    const { version } = currentProgram();
    const [torrc, onions, seen] = await Promise.all([
      readTorrc(directory, environment),
      readOnions(directory),
      observeProcess(environment, signal),
    ]);
    // Nobody wants it: what visitors finish on is not there for the plan, which would end it. When one of several is over,
    // its torrc is another one.
    const isFinishing = torrc?.isLeaving === true && torrc.drains.length > 0 && torrc.isCurrent;
    if (isFinishing) return { running: false, left: [], onions };
    return {
      ...seen,
      ...(version === undefined ? {} : { installed: version }),
      ...(torrc === undefined ? {} : { torrcHash: torrc.hash }),
      ...(torrc?.isCurrent === true ? { torrc: torrc.asked } : {}),
      left: [...(torrc?.left ?? [])],
      onions,
    };
  });
};

interface SeenProcess {
  readonly running: boolean;
  readonly trouble?: string;
  readonly loadedHash?: string;
  readonly silentForMs?: number;
}
interface AskedProcess extends SeenProcess {
  readonly contact?: string;
  /** It lives, and will not answer any more. */
  readonly isHung?: boolean;
  /** It must not be started before. */
  readonly waitMs?: number;
  /** Id of a process that does not listen yet. */
  readonly starting?: number;
}

/** Running means that the process lives and its control socket answers. */
async function observeProcess(environment: HelperEnvironment, signal: AbortSignal): Promise<SeenProcess> {
  const {
    contact: _contact,
    isHung: _isHung,
    waitMs: _waitMs,
    starting: _starting,
    ...seen
  } = await askProcess(environment, signal);
  return seen;
}

/** Who only looks waits less than who would end it. */
const LOOK_MS = 3000;
const LOAD_MS = 6000;

async function askProcess(
  environment: HelperEnvironment,
  signal: AbortSignal,
  patienceMs = LOOK_MS,
): Promise<AskedProcess> {
  const pid = await findTor(environment);
  if (pid === undefined) return absence(environment);
  const askedAt = performance.now();
  try {
    const { loadedHash, contact } = await askTor(environment, signal, patienceMs);
    noteAnswer(environment);
    return { running: true, contact, ...(loadedHash === undefined ? {} : { loadedHash }) };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    if (['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error.cause) ?? '')) {
      if (await isStarting(pid))
        return { running: false, starting: pid, trouble: `process ${pid} is starting` };
      // Nobody listens there: that is not slow, and does not become better.
      return { running: false, isHung: true, trouble: `process ${pid}: ${error.message}` };
    }
    // It ended while it was asked.
    if ((await findTor(environment)) === undefined) return absence(environment);
    const { forMs, isHung, message } = noteMissed(environment, pid, performance.now() - askedAt);
    return { running: false, isHung, silentForMs: forMs, trouble: message };
  }
}

async function absence(environment: HelperEnvironment): Promise<AskedProcess> {
  const { trouble, waitMs } = await noteAbsence(environment);
  return { running: false, waitMs, ...(trouble === undefined ? {} : { trouble }) };
}

/**
 * Starts tor, or makes the running one load the torrc. The key files were checked when the torrc was written, which may
 * be long ago: they are checked again, because tor ends at a damaged one, or makes a new key where one is gone.
 */
export const loadTor: Handler<'tor.load'> = ({ instance }, whole, signal) => {
  const environment = ofInstance(whole, instance);
  return inTorDirectory(environment, async (directory) => {
    const before = await readTorrc(directory, environment);
    if (before === undefined) {
      throw new GatewayError('there is no torrc for tor to load', { code: 'InvalidRequest', retry: 'never' });
    }
    const torrc = await prepareTorrc(before.asked, directory, environment, signal);
    const started = await bringUp(torrc, directory, environment, signal);
    return { started, left: [...torrc.left] };
  });
};

/** `true` when a process was started. */
async function bringUp(
  torrc: Torrc,
  directory: TorDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<boolean> {
  const seen = await askSettled(environment, signal);
  const { running, loadedHash, contact = '', trouble } = seen;
  if (running && loadedHash === torrc.hash) return false;
  const stale = staleOnions(torrc, contact);
  if (running && (await tryGive(torrc, stale, directory, environment, signal))) return false;
  if (!running) requirePatience(seen);
  if (trouble !== undefined) environment.log('warn', 'tor is started anew', { trouble });
  await endTor(environment, signal);
  await startTor(environment, directory, signal);
  return true;
}

/** One that is starting is waited for: two at once would be in each other's way. */
async function askSettled(environment: HelperEnvironment, signal: AbortSignal): Promise<AskedProcess> {
  const { starting, ...seen } = await askProcess(environment, signal, LOAD_MS);
  if (starting === undefined) return seen;
  await awaitAnswer(starting, environment, signal);
  return askProcess(environment, signal, LOAD_MS);
}

/** Throws while it is too early to end or to start it; the engine comes again. */
function requirePatience({ isHung, silentForMs, waitMs = 0, trouble = '' }: AskedProcess): void {
  if (waitMs === 0 && (isHung === true || silentForMs === undefined)) return;
  throw new GatewayError(
    silentForMs === undefined ? `tor does not stay up: ${trouble}` : `tor is silent: ${trouble}`,
    {
      code: 'TorUnavailable',
      hint: 'it is tried again by itself; what tor says is in tor/tor.log of the state directory',
    },
  );
}

/** `false` when only a restart brings the torrc in: an option that a running tor cannot change. */
async function tryGive(
  torrc: Torrc,
  stale: readonly string[],
  directory: TorDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    if (stale.length > 0) await giveWithout(torrc, stale, environment, signal);
    await giveTor(environment, (await readTorrcText(directory)) ?? '', signal);
    await letSettle(torrc, signal);
    return true;
  } catch (error) {
    // One that is only slow takes it later, and keeps what visitors have open.
    if (!(error instanceof GatewayError) || error.code !== 'TorControl') throw error;
    environment.log('warn', 'tor is restarted to load its torrc', { why: messageOf(error) });
    return false;
  }
}

export const stopTor: Handler<'tor.stop'> = ({ instance }, whole, signal) => {
  const environment = ofInstance(whole, instance);
  return inTorDirectory(environment, async (directory) => {
    await unmarkDrains(directory);
    const torrc = await readTorrc(directory, environment);
    if (torrc !== undefined && torrc.drains.length > 0 && (await findTor(environment)) !== undefined) {
      await leave(torrc, directory, environment, signal);
      return {};
    }
    await forgetDrains(directory);
    await endTor(environment, signal);
    await removeFile(join(directory.base, 'torrc'));
    await sweep(directory, environment, signal);
    return {};
  });
};

/** Ends all but what visitors may finish on. */
async function leave(
  { asked: { source, pool } }: Torrc,
  directory: TorDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const torrc = await prepareTorrc({ source, pool, onions: [] }, directory, environment, signal, true);
  await bringUp(torrc, directory, environment, signal);
}

async function sweep(
  directory: TorDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const torrc = await readTorrcText(directory);
  // Whatever the torrc says, also one that was changed by hand: tor must find each directory that it names.
  const listed = new Set(
    [...(torrc ?? '').matchAll(/^HiddenServiceDir "?(?:.*\/)?([a-z0-9-]+)"?$/gm)].map(
      (match) => match[1] ?? '',
    ),
  );
  await sweepOnions(directory, listed, environment, signal);
}
