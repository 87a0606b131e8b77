import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { HelperEnvironment } from './environment.ts';
import { askTor } from './tor-control.ts';
import { ensureRunDirectory, type TorDirectory } from './tor-directory.ts';
import { logEnd, noteBirth, noteEnding } from './tor-life.ts';
import { ageOf, endProcesses, findProcesses, isAlive, rotateLog, type Likeness } from './outliving.ts';
import { startOutliving } from './supervise.ts';

const POLL_MS = 50;
const START_TIMEOUT_MS = 20_000;

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

/** The pid file is tor's to write, so it is only a hint: a tor that lives must never be overlooked. */
export async function findTor(environment: HelperEnvironment): Promise<number | undefined> {
  return (await findProcesses(likenessOf(environment)))[0];
}

function likenessOf(environment: HelperEnvironment): Likeness {
  const expected = torArguments(environment).slice(1);
  return {
    program: 'tor',
    uid: environment.tor.uid,
    pidFile: environment.paths.torPid,
    isOurs: (words) => expected.every((word, index) => words[index] === word),
  };
}

/** Starts tor in a session of its own and waits until its control socket answers. */
export async function startTor(
  environment: HelperEnvironment,
  directory: TorDirectory,
  signal: AbortSignal,
): Promise<void> {
  await ensureRunDirectory(environment);
  const logFile = join(directory.base, 'tor.log');
  await rotateLog(logFile);
  const logOffset = await logEnd(logFile);
  const { paths } = environment;
  const pid = await startOutliving(
    {
      // Starting a unit ends the one of its name, so each process has its own.
      unit: paths.torInstance === 'tor' ? 'gateway-tor' : `gateway-${paths.torInstance}`,
      argv: torArguments(environment),
      user: environment.tor,
      writable: [paths.torState, paths.torRun],
      logFile,
      env: { PATH: process.env['PATH'] ?? '' },
    },
    signal,
  );
  environment.log('info', 'tor started', { pid });
  const why = await awaitAnswer(pid, environment, signal);
  if (why !== undefined) {
    if (!(await isAlive(pid))) throw await ended(environment, logFile);
    throw silent(pid, why);
  }
  // From here on the engine is content, so that how often it ends must be remembered here.
  noteBirth(environment, { pid, logFile: join(environment.paths.torState, 'tor.log'), logOffset });
}

/** Waits for the first answer of a process that is starting; resolves with why there is none. */
export async function awaitAnswer(
  pid: number,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<string | undefined> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const answer = await askTor(environment, signal, 1000).catch((error: unknown) => messageOf(error));
    if (typeof answer !== 'string') return undefined;
    signal.throwIfAborted();
    if (Date.now() > deadline || !(await isAlive(pid))) return answer;
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** So young that nobody may listen on its socket yet. A helper that was ended in the middle of a start leaves such one. */
export async function isStarting(pid: number): Promise<boolean> {
  const ageMs = await ageOf(pid);
  return ageMs !== undefined && ageMs < START_TIMEOUT_MS;
}

async function ended({ paths }: HelperEnvironment, logFile: string): Promise<GatewayError> {
  const text = (await readFile(logFile, 'utf8')).slice(-8192);
  return new GatewayError(`tor ended right after its start: ${complaintOf(text) ?? 'it did not say why'}`, {
    code: 'TorUnavailable',
    hint: `see ${join(paths.torState, 'tor.log')}`,
  });
}

/** The last lines in which tor complains, without their times. */
export function complaintOf(log: string): string | undefined {
  const complaints = log.split('\n').flatMap((line) => /\[(?:warn|err)\] (.*)$/.exec(line)?.[1] ?? []);
  return complaints.slice(-3).join(' / ') || undefined;
}

function silent(pid: number, answer: string): GatewayError {
  return new GatewayError(
    `tor (process ${pid}) did not answer within ${START_TIMEOUT_MS / 1000} s of its start: ${answer}`,
    { code: 'TorUnavailable' },
  );
}

export async function endTor(environment: HelperEnvironment, signal: AbortSignal): Promise<void> {
  const likeness = likenessOf(environment);
  noteEnding(environment);
  await endProcesses(await findProcesses(likeness), likeness, signal);
}
