import { mkdir, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { fileError, readFileIfExists, removeFile } from '../system/files.ts';
import type { HelperEnvironment } from './environment.ts';
import { identityOnPath } from './on-path.ts';
import { isAlive } from './outliving.ts';
import { startOutliving } from './supervise.ts';

/** WireGuard in user space, one process for an interface; it outlives us. Only where the kernel has none. */

const PROGRAM = 'wireguard-go';
/** Of a later release, where bin/setup could bring it: Debian 12's handles each packet alone. */
const LATER_PROGRAM = 'wireguard-go-later';
const START_TIMEOUT_MS = 5000;
const STOP_TIMEOUT_MS = 2000;

export function socketOf(name: string): string {
  return `/var/run/wireguard/${name}.sock`;
}

/** Resolves when the interface exists, in the namespace that we run in, and can be configured. */
export async function startWireguardGo(
  name: string,
  environment: Pick<HelperEnvironment, 'paths' | 'log'>,
  signal: AbortSignal,
): Promise<void> {
  await stopWireguardGo(name, signal);
  const { logs } = environment.paths;
  for (const directory of [logs, dirname(socketOf(name))]) {
    await mkdir(directory, { recursive: true }).catch((error: unknown) => {
      throw fileError(`${directory} could not be made`, error);
    });
  }
  const logFile = join(logs, `${name}.log`);
  const pid = await startOutliving(
    {
      unit: `gateway-wireguard@${name}`,
      argv: [(await identityOnPath(LATER_PROGRAM)) === undefined ? PROGRAM : LATER_PROGRAM, '-f', name],
      writable: [logs, dirname(socketOf(name))],
      logFile,
      env: { PATH: process.env['PATH'] ?? '', LOG_LEVEL: 'error' },
    },
    signal,
  );
  environment.log('info', 'started wireguard-go', { interface: name, pid });
  const isReady = await within(START_TIMEOUT_MS, signal, async () => {
    if (await exists(socketOf(name))) return true;
    // Not by its command line: for a moment it is the sh that starts an unpacked program.
    if (await isAlive(pid)) return false;
    throw await startFailed(name, 'it ended at once', logFile);
  });
  if (!isReady) throw await startFailed(name, `it was not ready after ${START_TIMEOUT_MS} ms`, logFile);
}

/** Ends what is left of it, with or without its interface; fine when there is nothing. */
export async function stopWireguardGo(name: string, signal: AbortSignal): Promise<void> {
  for (const killSignal of ['SIGTERM', 'SIGKILL'] as const) {
    const pids = await findWireguardGo(name);
    if (pids.length === 0) break;
    for (const pid of pids) kill(pid, killSignal);
    const isGone = async (): Promise<boolean> => (await findWireguardGo(name)).length === 0;
    if (await within(STOP_TIMEOUT_MS, signal, isGone)) break;
  }
  await removeFile(socketOf(name));
}

/**
 * Found by what it is, not by a file that may be out of date. Only processes of our own network namespace: there its
 * UDP socket lies, and another gateway with the same names may run in another one.
 */
export async function findWireguardGo(name: string): Promise<number[]> {
  const ours = await readlink('/proc/self/ns/net');
  const pids = (await readdir('/proc')).filter((entry) => /^[0-9]+$/.test(entry)).map(Number);
  const found: number[] = [];
  for (const pid of pids) if (await isWireguardGo(pid, name, ours)) found.push(pid);
  return found;
}

async function isWireguardGo(pid: number, name: string, netns: string): Promise<boolean> {
  try {
    const [program = '', ...rest] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    if (basename(program) !== PROGRAM || rest[0] !== '-f' || rest[1] !== name) return false;
    return (await readlink(`/proc/${pid}/ns/net`)) === netns;
  } catch (error) {
    // It ended while we looked.
    if (['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '')) return false;
    throw fileError(`process ${pid} could not be examined`, error);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

/** Asks every 10 ms; false when the time is over. */
export async function within(
  timeoutMs: number,
  signal: AbortSignal,
  isDone: () => Promise<boolean>,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isDone())) {
    if (performance.now() > deadline) return false;
    if (signal.aborted) throw cancelled(signal);
    await sleep(10);
  }
  return true;
}

function cancelled(signal: AbortSignal): GatewayError {
  return new GatewayError('waiting for WireGuard was cancelled', {
    code: 'Aborted',
    retry: 'never',
    cause: signal.reason,
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw fileError(`${path} could not be examined`, error);
  }
}

async function startFailed(name: string, what: string, logFile: string): Promise<GatewayError> {
  const said = ((await readFileIfExists(logFile))?.toString() ?? '').trim().split('\n').at(-1) ?? '';
  return new GatewayError(`${PROGRAM} for ${name} did not start: ${what}: ${said.slice(0, 500)}`, {
    code: 'CommandFailed',
    hint: `look into ${logFile}; it needs /dev/net/tun`,
  });
}
