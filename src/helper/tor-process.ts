import { readdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';
import { fileError } from '../system/files.ts';
import { detach } from '../system/run.ts';
import type { HelperEnvironment } from './environment.ts';
import { askTor } from './tor-control.ts';
import { ensureRunDirectory, readPlain, type TorDirectory } from './tor-directory.ts';
import { asTor } from './tor-user.ts';

const POLL_MS = 50;
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 5000;
const LOG_LIMIT_BYTES = 1024 * 1024;

/** Arguments that make this tor ours, and read no torrc of the distribution. */
export function torArguments({ paths }: HelperEnvironment): [string, ...string[]] {
  return [
    'tor',
    '-f',
    join(paths.torState, 'torrc'),
    '--defaults-torrc',
    join(paths.torState, 'torrc-defaults'),
  ];
}

/**
 * Our own tor process. The pid file is tor's to write, so it is only a hint: the process must run as tor's user with
 * our torrc. Without a usable hint all processes are looked at: a tor that lives must never be overlooked.
 */
export async function findTor(environment: HelperEnvironment): Promise<number | undefined> {
  const hint = Number((await readPlain(environment.paths.torPid))?.toString());
  if (Number.isInteger(hint) && (await isOurs(hint, environment))) return hint;
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name) && (await isOurs(Number(name), environment))) return Number(name);
  }
  return undefined;
}

async function isOurs(pid: number, environment: HelperEnvironment): Promise<boolean> {
  if (pid <= 1) return false;
  const commandLine = await readProc(pid, 'cmdline');
  const [program = '', ...rest] = commandLine.split('\0');
  const expected = torArguments(environment).slice(1);
  if (!/(^|\/)tor$/.test(program) || !expected.every((word, index) => rest[index] === word)) return false;
  const uid = /^Uid:\s+(\d+)/m.exec(await readProc(pid, 'status'))?.[1];
  return uid === String(environment.tor.uid);
}

/** A process that ended and was not reaped yet (Z) is not alive. */
async function isAlive(pid: number): Promise<boolean> {
  return /\) [^ZX] /.test(await readProc(pid, 'stat'));
}

/** Empty when the process is gone. */
async function readProc(pid: number, name: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${name}`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(errnoOf(error) ?? '')) return '';
    throw fileError(`/proc/${pid}/${name} could not be read`, error);
  }
}

/** Starts tor in a session of its own and waits until its control socket answers. */
export async function startTor(
  environment: HelperEnvironment,
  directory: TorDirectory,
  signal: AbortSignal,
): Promise<void> {
  await ensureRunDirectory(environment);
  const logFile = join(directory.base, 'tor.log');
  await rotate(logFile);
  const argv = torArguments(environment);
  const pid = await detach([...asTor(environment.tor), ...argv], {
    logFile,
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '' },
  });
  environment.log('info', 'tor started', { pid });
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const answer = await askTor(environment, signal, 1000).catch((error: unknown) => messageOf(error));
    if (typeof answer !== 'string') return;
    signal.throwIfAborted();
    if (!(await isAlive(pid))) throw await ended(environment, logFile);
    if (Date.now() > deadline) throw silent(pid, answer);
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** One predecessor is kept. tor writes little at this level, but for years. */
async function rotate(logFile: string): Promise<void> {
  try {
    if ((await stat(logFile)).size > LOG_LIMIT_BYTES) await rename(logFile, `${logFile}.1`);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileError(`${logFile} could not be put aside`, error);
  }
}

async function ended({ paths }: HelperEnvironment, logFile: string): Promise<GatewayError> {
  const text = (await readFile(logFile, 'utf8')).slice(-8192);
  return new GatewayError(`tor ended right after its start: ${complaintOf(text)}`, {
    code: 'TorUnavailable',
    hint: `see ${join(paths.torState, 'tor.log')}`,
  });
}

/** The last lines in which tor complains, without their times. */
export function complaintOf(log: string): string {
  const complaints = log.split('\n').flatMap((line) => /\[(?:warn|err)\] (.*)$/.exec(line)?.[1] ?? []);
  return complaints.slice(-3).join(' / ') || 'it did not say why';
}

function silent(pid: number, answer: string): GatewayError {
  return new GatewayError(
    `tor (process ${pid}) did not answer within ${START_TIMEOUT_MS / 1000} s of its start: ${answer}`,
    { code: 'TorUnavailable' },
  );
}

/** Asks tor to end, and ends it when it does not. */
export async function endTor(environment: HelperEnvironment, signal: AbortSignal): Promise<void> {
  const pid = await findTor(environment);
  if (pid === undefined) return;
  const startedAt = Date.now();
  kill(pid, 'SIGTERM');
  // A stopped process (SIGSTOP) takes the signal only when it goes on.
  kill(pid, 'SIGCONT');
  for (;;) {
    if (!(await isOurs(pid, environment))) return;
    if (Date.now() - startedAt > STOP_TIMEOUT_MS) kill(pid, 'SIGKILL');
    await sleep(POLL_MS, undefined, { signal });
  }
}

function kill(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw fileError(`tor (process ${pid}) could not be ended`, error);
  }
}
