import { readdir, readFile, rename, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../core/errors.ts';
import { fileError } from '../system/files.ts';
import { readPlain } from './owned-directory.ts';

/** Processes of the data path: started by us, outliving us, and found again by what they are. */
export interface Likeness {
  /** Name of the program. */
  readonly program: string;
  readonly uid: number;
  /** Written by the process itself, so only a hint. */
  readonly pidFile: string;
  /** Whether these words, those after the program's name, are how we start it. */
  readonly isOurs: (words: readonly string[]) => boolean;
}

const POLL_MS = 50;
const STOP_TIMEOUT_MS = 5000;
const LOG_LIMIT_BYTES = 1024 * 1024;

/** The one that the pid file names, if it is ours; else every one that is, looked for among all processes. */
export async function findProcesses(likeness: Likeness): Promise<number[]> {
  const hint = Number((await readPlain(likeness.pidFile))?.toString());
  if (Number.isInteger(hint) && (await isLike(hint, likeness))) return [hint];
  return findEveryProcess(likeness);
}

export async function findEveryProcess(likeness: Likeness): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name) && (await isLike(Number(name), likeness))) found.push(Number(name));
  }
  return found;
}

/** What stands before the program until it has become it: the change of user, the wrapper of an unpacked package. */
const LAUNCHERS: readonly string[] = ['nsenter', 'setpriv', 'sh', 'dash', 'bash'];

/**
 * Also one that is about to be it. On a busy machine that takes a while, and who overlooks it starts a second one, which
 * ends at what the first one holds.
 */
async function isLike(pid: number, { program, uid, isOurs }: Likeness): Promise<boolean> {
  if (pid <= 1) return false;
  // Every argument is followed by a zero byte, the last one too.
  const words = (await readProc(pid, 'cmdline')).split('\0').slice(0, -1);
  const names = words.map((word) => word.split('/').at(-1) ?? '');
  const at = LAUNCHERS.includes(names[0] ?? '') ? names.indexOf(program, 1) : 0;
  if (names[at] !== program || !isOurs(words.slice(at + 1))) return false;
  const user = /^Uid:\s+(\d+)/m.exec(await readProc(pid, 'status'))?.[1];
  return user === String(uid) || (at > 0 && user === '0');
}

/** A process that ended and was not reaped yet (Z) is not alive. */
export async function isAlive(pid: number): Promise<boolean> {
  return /\) [^ZX] /.test(await readProc(pid, 'stat'));
}

/** Of /proc/PID/stat, proc_pid_stat(5): 100 a second on every Linux. */
const TICKS_PER_SECOND = 100;

/** Milliseconds since its start; `undefined` when it is gone. */
export async function ageOf(pid: number): Promise<number | undefined> {
  const startedAt = /\) (?:\S+ ){19}(\d+) /.exec(await readProc(pid, 'stat'))?.[1];
  const uptime = Number.parseFloat(await readFile('/proc/uptime', 'utf8'));
  return startedAt === undefined ? undefined : (uptime - Number(startedAt) / TICKS_PER_SECOND) * 1000;
}

export async function parentOf(pid: number): Promise<number | undefined> {
  const parent = /\) \w (\d+) /.exec(await readProc(pid, 'stat'))?.[1];
  return parent === undefined ? undefined : Number(parent);
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

/** One predecessor is kept. Little is written, but for years. */
export async function rotateLog(logFile: string): Promise<void> {
  try {
    if ((await stat(logFile)).size > LOG_LIMIT_BYTES) await rename(logFile, `${logFile}.1`);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileError(`${logFile} could not be put aside`, error);
  }
}

/** Asks every one to end, and ends those that do not. */
export async function endProcesses(
  pids: readonly number[],
  likeness: Likeness,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = Date.now();
  for (const pid of pids) {
    signalProcess(pid, 'SIGTERM');
    // A stopped process (SIGSTOP) takes the signal only when it goes on.
    signalProcess(pid, 'SIGCONT');
  }
  for (const pid of pids) {
    while (await isLike(pid, likeness)) {
      if (Date.now() - startedAt > STOP_TIMEOUT_MS) signalProcess(pid, 'SIGKILL');
      await sleep(POLL_MS, undefined, { signal });
    }
  }
}

/** Fine when it is gone. */
export function signalProcess(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw fileError(`process ${pid} could not be sent ${name}`, error);
  }
}
