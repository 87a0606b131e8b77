import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import type { TorrcSpec } from '../core/operations.ts';
import { fileError, syncDirectory, writeFileAtomic } from '../system/files.ts';
import { run } from '../system/run.ts';
import { torrcLineProblem } from '../wire/torrc.ts';
import type { HelperEnvironment } from './environment.ts';
import { activeDrains, barDrains, type Drain } from './onion-drain.ts';
import { readOnions } from './onion-directory.ts';
import { readOwnLines, textOf, type OwnLine } from './own-lines.ts';
import { readPlain } from './owned-directory.ts';
import { asUser } from './run-as.ts';
import { torrcPlace, type TorDirectory } from './tor-directory.ts';
import { forgiveShortLives } from './tor-life.ts';
import { complaintOf, torArguments } from './tor-process.ts';
import type { LeftOut } from './own-comments.ts';
import { parseTorrc, renderTorrc, type Torrc } from './torrc.ts';

/** Renders, verifies and puts in place; does nothing when that torrc is there already. */
export async function prepareTorrc(
  asked: TorrcSpec,
  directory: TorDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
  isLeaving = false,
): Promise<Torrc> {
  const own = await readOwnLines(environment);
  refuseReserved(own);
  const left = await unusable(asked, directory);
  const drains = await barDrains(directory);
  const text = renderTorrc(asked, left, textOf(own), torrcPlace(environment), { drains, isLeaving });
  if ((await readTorrcText(directory)) !== text) {
    await writeFileAtomic(join(directory.base, 'torrc-defaults'), '', readableByTor(environment));
    await replaceVerified(text, directory, environment, signal);
    forgiveShortLives(environment);
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
async function unusable(asked: TorrcSpec, directory: TorDirectory): Promise<LeftOut[]> {
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
  return new GatewayError(
    `tor does not accept the new torrc, so the old one stays: ${complaintOf(output) ?? 'it did not say why'}`,
    {
      code: 'ConfigInvalid',
      retry: 'when-changed',
      hint: 'check the lines in torrc.d/, beside gateway.yaml',
    },
  );
}

/** Current: as we would write it now, with the owner's lines as they are now. */
export async function readTorrc(
  directory: TorDirectory,
  environment: HelperEnvironment,
): Promise<(Torrc & { readonly isCurrent: boolean; readonly drains: readonly Drain[] }) | undefined> {
  const text = await readTorrcText(directory);
  const torrc = text === undefined ? undefined : parseTorrc(text);
  if (torrc === undefined) return undefined;
  const drains = await activeDrains(directory);
  return { ...torrc, drains, isCurrent: await isCurrent(text ?? '', torrc, drains, environment) };
}

/** Own lines that cannot be used make it not current: writing it again then says why. */
async function isCurrent(
  text: string,
  torrc: Torrc,
  drains: readonly Drain[],
  environment: HelperEnvironment,
): Promise<boolean> {
  try {
    const own = textOf(await readOwnLines(environment));
    const { asked, left, isLeaving } = torrc;
    return renderTorrc(asked, left, own, torrcPlace(environment), { drains, isLeaving }) === text;
  } catch (error) {
    if (error instanceof GatewayError) return false;
    throw error;
  }
}

export async function readTorrcText(directory: TorDirectory): Promise<string | undefined> {
  return (await readPlain(join(directory.base, 'torrc')))?.toString();
}

function readableByTor({ tor }: HelperEnvironment): {
  mode: number;
  owner: { uid: number; gid: number };
} {
  return { mode: 0o640, owner: { uid: process.getuid?.() ?? 0, gid: tor.gid } };
}
