import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { TorrcSpec } from '../core/operations.ts';
import { fileError, removeFile, syncDirectory, writeFileAtomic } from '../system/files.ts';
import { run } from '../system/run.ts';
import { torrcLineProblem } from '../wire/torrc.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { readOwnLines, textOf, type OwnLine } from './own-lines.ts';
import { readOnions, sweepOnions, unmarkOnion, writeOnionFiles } from './onion-directory.ts';
import { askTor, giveTor } from './tor-control.ts';
import { readPlain } from './owned-directory.ts';
import { inTorDirectory, torrcPlace, type TorDirectory } from './tor-directory.ts';
import { complaintOf, endTor, findTor, startTor, torArguments } from './tor-process.ts';
import { currentProgram } from './tor-program.ts';
import { asUser } from './run-as.ts';
import { parseTorrc, renderTorrc, staleOnions, type Left, type Torrc } from './torrc.ts';

export const writeOnion: Handler<'tor.writeOnion'> = ({ onion }, environment) =>
  inTorDirectory(environment, async (directory) => {
    await writeOnionFiles(onion, directory, environment);
    return {};
  });

export const removeOnion: Handler<'tor.removeOnion'> = ({ service }, environment, signal) =>
  inTorDirectory(environment, async (directory) => {
    await unmarkOnion(directory, service);
    await sweep(directory, environment, signal);
    return {};
  });

export const writeTor: Handler<'tor.write'> = ({ torrc }, environment, signal) =>
  inTorDirectory(environment, async (directory) => {
    const written = await prepare(torrc, directory, environment, signal);
    await sweep(directory, environment, signal);
    return { torrcHash: written.hash, left: [...written.left] };
  });

export const observeTor: Handler<'tor.observe'> = (_input, environment, signal) =>
  inTorDirectory(environment, async (directory) => {
    const { version } = currentProgram();
    const [torrc, onions, seen] = await Promise.all([
      readTorrc(directory, environment),
      readOnions(directory),
      observeProcess(environment, signal),
    ]);
    return {
      ...seen,
      ...(version === undefined ? {} : { installed: version }),
      ...(torrc === undefined ? {} : { torrcHash: torrc.hash }),
      ...(torrc?.isCurrent === true ? { torrc: torrc.asked } : {}),
      left: [...(torrc?.left ?? [])],
      onions,
    };
  });

interface SeenProcess {
  readonly running: boolean;
  readonly trouble?: string;
  readonly loadedHash?: string;
}
interface AskedProcess extends SeenProcess {
  readonly contact?: string;
}

/** Running means that the process lives and its control socket answers. */
async function observeProcess(environment: HelperEnvironment, signal: AbortSignal): Promise<SeenProcess> {
  const { contact: _, ...seen } = await askProcess(environment, signal);
  return seen;
}

async function askProcess(environment: HelperEnvironment, signal: AbortSignal): Promise<AskedProcess> {
  const pid = await findTor(environment);
  if (pid === undefined) return { running: false };
  try {
    const { loadedHash, contact } = await askTor(environment, signal);
    return { running: true, contact, ...(loadedHash === undefined ? {} : { loadedHash }) };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    return { running: false, trouble: `process ${pid}: ${error.message}` };
  }
}

/**
 * Starts tor, or makes the running one load the torrc. The key files were checked when the torrc was written, which may
 * be long ago: they are checked again, because tor ends at a damaged one, or makes a new key where one is gone.
 */
export const loadTor: Handler<'tor.load'> = (_input, environment, signal) =>
  inTorDirectory(environment, async (directory) => {
    const before = await readTorrc(directory, environment);
    if (before === undefined) {
      throw new GatewayError('there is no torrc for tor to load', { code: 'InvalidRequest', retry: 'never' });
    }
    const torrc = await prepare(before.asked, directory, environment, signal);
    const started = await bringUp(torrc, directory, environment, signal);
    return { started, left: [...torrc.left] };
  });

/** `true` when a process was started. */
async function bringUp(
  torrc: Torrc,
  directory: TorDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<boolean> {
  const { running, loadedHash, contact = '', trouble } = await askProcess(environment, signal);
  if (running && loadedHash === torrc.hash) return false;
  const stale = staleOnions(torrc, contact);
  if (running && (await tryGive(torrc, stale, directory, environment, signal))) return false;
  if (trouble !== undefined) environment.log('warn', 'tor does not answer; it is started anew', { trouble });
  await endTor(environment, signal);
  await startTor(environment, directory, signal);
  return true;
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
    await giveTor(environment, (await readText(directory)) ?? '', signal);
    return true;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    environment.log('warn', 'tor is restarted to load its torrc', { why: messageOf(error) });
    return false;
  }
}

/**
 * Takes onions away from the running tor for a moment, which closes their circuits: they come back under the same address
 * with new introduction points. Cut short in between, tor has loaded another torrc than the one on disk, and is given it.
 */
async function giveWithout(
  { asked, left }: Torrc,
  stale: readonly string[],
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const own = textOf(await readOwnLines(environment));
  const away = stale.map((service) => ({ service, reason: 'its introduction points are made anew' }));
  await giveTor(environment, renderTorrc(asked, [...left, ...away], own, torrcPlace(environment)), signal);
}

export const stopTor: Handler<'tor.stop'> = (_input, environment, signal) =>
  inTorDirectory(environment, async (directory) => {
    await endTor(environment, signal);
    await removeFile(join(directory.base, 'torrc'));
    await sweep(directory, environment, signal);
    return {};
  });

/** Renders, verifies and puts in place; does nothing when that torrc is there already. */
async function prepare(
  asked: TorrcSpec,
  directory: TorDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<Torrc> {
  const own = await readOwnLines(environment);
  refuseReserved(own);
  const left = await unusable(asked, directory);
  const text = renderTorrc(asked, left, textOf(own), torrcPlace(environment));
  if ((await readText(directory)) !== text) {
    await writeFileAtomic(join(directory.base, 'torrc-defaults'), '', readableByTor(environment));
    await replaceVerified(text, directory, environment, signal);
  }
  const written = parseTorrc(text);
  if (written === undefined) throw new TypeError('a torrc that was just written cannot be read back');
  return written;
}

function refuseReserved(own: readonly OwnLine[]): void {
  for (const { place, line } of own) {
    const problem = torrcLineProblem(line);
    if (problem === undefined) continue;
    throw new GatewayError(`${place}: the line ${JSON.stringify(line)} is refused: ${problem}`, {
      code: 'ConfigInvalid',
      retry: 'when-changed',
      hint: 'remove the line; the torrc stays as it was until then',
    });
  }
}

/** Onions that were asked for and that tor could not use, or not as asked. */
async function unusable(asked: TorrcSpec, directory: TorDirectory): Promise<Left[]> {
  const onDisk = new Map((await readOnions(directory)).map((onion) => [onion.service, onion]));
  return asked.onions.flatMap(({ service }) => {
    const onion = onDisk.get(service);
    if (onion === undefined) return [{ service, reason: 'its key files are not there' }];
    return onion.damaged === undefined ? [] : [{ service, reason: onion.damaged }];
  });
}

/** tor itself must accept the new torrc, as its own user, before it replaces the old one. */
async function replaceVerified(
  text: string,
  directory: TorDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const draft = 'torrc.new';
  await writeFileAtomic(join(directory.base, draft), text, readableByTor(environment));
  const argv = torArguments(environment).with(2, join(environment.paths.torState, draft));
  const { stdout, exitCode } = await run([...asUser(environment.tor), ...argv, '--verify-config'], {
    signal,
    cwd: '/',
    accept: [0, 1],
  });
  if (exitCode !== 0) throw rejected(stdout);
  try {
    await rename(join(directory.base, draft), join(directory.base, 'torrc'));
    await syncDirectory(directory.base);
  } catch (error) {
    throw fileError('the torrc could not be replaced', error);
  }
}

function rejected(output: string): GatewayError {
  return new GatewayError(`tor does not accept the new torrc, so the old one stays: ${complaintOf(output)}`, {
    code: 'ConfigInvalid',
    retry: 'when-changed',
    hint: 'check the lines in torrc.d/, beside gateway.yaml',
  });
}

async function sweep(
  directory: TorDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const torrc = await readText(directory);
  // Whatever the torrc says, also one that was changed by hand: tor must find each directory that it names.
  const listed = new Set(
    [...(torrc ?? '').matchAll(/^HiddenServiceDir "?(?:.*\/)?([a-z0-9-]+)"?$/gm)].map(
      (match) => match[1] ?? '',
    ),
  );
  await sweepOnions(directory, listed, environment, signal);
}

/** Current: as we would write it now, with the owner's lines as they are now. */
async function readTorrc(
  directory: TorDirectory,
  environment: HelperEnvironment,
): Promise<(Torrc & { readonly isCurrent: boolean }) | undefined> {
  const text = await readText(directory);
  const torrc = text === undefined ? undefined : parseTorrc(text);
  if (torrc === undefined) return undefined;
  return { ...torrc, isCurrent: await isCurrent(text ?? '', torrc, environment) };
}

/** Own lines that cannot be used make it not current: writing it again then says why. */
async function isCurrent(text: string, torrc: Torrc, environment: HelperEnvironment): Promise<boolean> {
  try {
    const own = textOf(await readOwnLines(environment));
    return renderTorrc(torrc.asked, torrc.left, own, torrcPlace(environment)) === text;
  } catch (error) {
    if (error instanceof GatewayError) return false;
    throw error;
  }
}

async function readText(directory: TorDirectory): Promise<string | undefined> {
  return (await readPlain(join(directory.base, 'torrc')))?.toString();
}

function readableByTor({ tor }: HelperEnvironment): {
  mode: number;
  owner: { uid: number; gid: number };
} {
  return { mode: 0o640, owner: { uid: process.getuid?.() ?? 0, gid: tor.gid } };
}
