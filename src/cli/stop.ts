import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../core/errors.ts';
import { directoriesIn, pathsOf } from '../system/directories.ts';
import { fileError } from '../system/files.ts';
import { run } from '../system/run.ts';
import { isInstalled } from './start.ts';

/** TimeoutStopSec of our units, and a little. */
const UNIT_STOP_TIMEOUT_MS = 60_000;

/** Waits for the daemon to end, which it does by itself after `down`, and ends the helper that `startGateway` started. */
export async function stopParts(root: string | undefined, signal: AbortSignal): Promise<void> {
  if (isInstalled(root)) {
    await run(['systemctl', 'stop', 'gateway.service', 'gateway-helper.service'], {
      signal,
      timeoutMs: UNIT_STOP_TIMEOUT_MS,
    });
    return;
  }
  const { daemonPid, helperPid } = pathsOf(directoriesIn(root));
  // It ends by itself once it has answered; a second later it would still hold its lock against the next `up`.
  await untilGone('daemon', await readPid(daemonPid), signal);
  const pid = await readPid(helperPid);
  if (pid === undefined || !(await isPart('helper', pid))) return;
  signalProcess(pid, 'SIGTERM');
  await untilGone('helper', pid, signal);
}

function signalProcess(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

async function untilGone(part: string, pid: number | undefined, signal: AbortSignal): Promise<void> {
  if (pid === undefined) return;
  const until = Date.now() + 5000;
  while ((await isPart(part, pid)) && Date.now() < until) await sleep(20, undefined, { signal });
}

async function readPid(file: string): Promise<number | undefined> {
  const pid = Number((await readIfThere(file)).trim());
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

/** Process ids come back; only a process that is that part is ours. One that has ended has no command line. */
async function isPart(part: string, pid: number): Promise<boolean> {
  return (await readIfThere(`/proc/${pid}/cmdline`)).split('\0').includes(part);
}

/** Empty when there is none. */
export async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isGone(error)) return '';
    throw fileError(`${file} could not be read`, error);
  }
}

/** A file of /proc that was opened while its process lived says ESRCH when it is read afterwards. */
function isGone(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ESRCH';
}
