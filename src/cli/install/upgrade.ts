import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, messageOf } from '../../core/errors.ts';
import type { Status } from '../../core/status.ts';
import { directoriesIn, pathsOf } from '../../system/directories.ts';
import { fileError } from '../../system/files.ts';
import { run } from '../../system/run.ts';
import { createClient } from '../client.ts';
import { type Context, EXIT, type Input } from '../command.ts';
import { show } from '../report.ts';
import { demandRoot, programStep, takeSteps, UNITS } from './install.ts';
import { layoutIn, type Layout } from './layout.ts';
import { examineProgram } from './program.ts';
import { exists, readLink, switchLink } from './steps.ts';

const HEALTH_TIMEOUT_MS = 320_000;
/** The first start of a program reads it from a disk that may be an SD card. */
const FIRST_START_TIMEOUT_MS = 120_000;
/** Long enough to see one that starts and falls over. */
const STEADY_MS = 3000;

/** `gateway upgrade DIR_OR_TARBALL`. Ways in stay open all the while: they are not the daemon's. */
export async function upgrade(input: Input, context: Context): Promise<number> {
  demandRoot('upgrade');
  const layout = layoutIn('/');
  const before = await readLink(layout.current);
  if (before === undefined || !(await exists(layout.manifest))) throw notInstalled(layout);
  const given = resolve(input.argument('DIR_OR_TARBALL'));
  const { folder, release } = await unpack(given, layout, context.signal);
  try {
    const program = await examineProgram(folder);
    const after = join('versions', program.id);
    if (after === before) {
      show(context, { version: program.id, before: basename(before) }, () => `${program.id} runs already.`);
      return EXIT.ok;
    }
    await takeSteps([programStep(layout, program)], context);
    await demandStarts(layout, after, context.signal);
    await switchTo(layout, after, before, context);
    await removeOthers(layout, [after, before]);
    show(
      context,
      { version: program.id, before: basename(before) },
      () => `${program.id} runs; it was ${basename(before)}.`,
    );
    return EXIT.ok;
  } finally {
    await release();
  }
}

/** Before anything is switched. */
async function demandStarts(layout: Layout, version: string, signal: AbortSignal): Promise<void> {
  const argv = [join(layout.prefix, version, 'bin/gateway'), 'version'] as const;
  try {
    await run(argv, { signal, timeoutMs: FIRST_START_TIMEOUT_MS });
  } catch (cause) {
    await rm(join(layout.prefix, version), { recursive: true, force: true });
    throw cause;
  }
}

/** Back to the version before, when the new one does not get healthy. */
async function switchTo(layout: Layout, after: string, before: string, context: Context): Promise<void> {
  try {
    await activate(layout, after, context);
  } catch (cause) {
    context.progress(
      `${basename(after)} does not work: ${messageOf(cause)}; going back to ${basename(before)}`,
    );
    // Also after Ctrl-C, which must not leave the machine between two versions.
    await activate(layout, before, { ...context, signal: AbortSignal.timeout(2 * HEALTH_TIMEOUT_MS) });
    await rm(join(layout.prefix, after), { recursive: true, force: true });
    throw wentBack(basename(after), basename(before), context.signal.aborted, cause);
  }
}

function wentBack(after: string, before: string, isInterrupted: boolean, cause: unknown): GatewayError {
  if (isInterrupted) {
    return new GatewayError(`interrupted while ${after} took over, so ${before} runs again`, {
      code: 'Aborted',
      retry: 'never',
      cause,
    });
  }
  return new GatewayError(`${after} did not get healthy, so ${before} runs again: ${messageOf(cause)}`, {
    code: 'CommandFailed',
    retry: 'never',
    hint: 'see: journalctl -u gateway -u gateway-helper',
    cause,
  });
}

/** Each version writes the units, the completion and the manual that it needs. */
async function activate(layout: Layout, version: string, { progress, signal }: Context): Promise<void> {
  const program = join(layout.prefix, version, 'bin/gateway');
  progress(`switching to ${basename(version)}`);
  await switchLink(layout.current, version);
  await run([program, 'install', '--no-start'], { signal, timeoutMs: HEALTH_TIMEOUT_MS });
  await run(['systemctl', 'daemon-reload'], { signal, timeoutMs: 60_000 });
  progress('restarting helper and daemon; ways in stay open');
  await run(['systemctl', 'restart', ...UNITS], { signal, timeoutMs: HEALTH_TIMEOUT_MS });
  await demandHealthy(signal);
}

async function demandHealthy(signal: AbortSignal): Promise<void> {
  const client = createClient(pathsOf(directoriesIn(undefined)).apiSocket);
  await client.get<Status>('/v1/status', signal);
  await sleep(STEADY_MS, undefined, { signal });
  await run(['systemctl', 'is-active', '--quiet', ...UNITS], { signal, timeoutMs: 60_000 });
  await client.get<Status>('/v1/status', signal);
}

async function unpack(given: string, layout: Layout, signal: AbortSignal) {
  const none = { folder: given, release: () => Promise.resolve() };
  try {
    if ((await stat(given)).isDirectory()) return none;
  } catch (error) {
    throw fileError(`${given} could not be read`, error);
  }
  const place = await mkdtemp(join(layout.prefix, '.unpacked-'));
  const release = (): Promise<void> => rm(place, { recursive: true, force: true });
  try {
    await run(['tar', '-xf', given, '-C', place, '--no-same-owner'], { signal, timeoutMs: 300_000 });
    const [only = '', ...more] = await readdir(place);
    return { folder: more.length === 0 ? join(place, only) : place, release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function removeOthers(layout: Layout, kept: readonly string[]): Promise<void> {
  for (const name of await readdir(layout.versions)) {
    if (!kept.includes(join('versions', name))) {
      await rm(join(layout.versions, name), { recursive: true, force: true });
    }
  }
}

function notInstalled({ current }: Layout): GatewayError {
  return new GatewayError(`no gateway is installed here: ${current} does not exist`, {
    code: 'InvalidRequest',
    retry: 'never',
    hint: 'install it first: gateway install',
  });
}
