import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { LABS } from './places.ts';
import { isAlive, killNow, wakeCollectors, type ProcessId } from './processes.ts';
import { findLabs } from './record.ts';
import { AWAIT_IDS } from './scripts.ts';
import { startInUserNamespace } from './user-namespace.ts';
import { waitFor } from './waiting.ts';

/** The kernel takes its time to end the namespaces of a large lab while other labs begin. */
const END_MS = 60_000;
const WAKE_EVERY_MS = 100;

/** Folders of labs that died with their owner, and whatever of them did not end by itself. */
export async function removeStaleLabs(signal: AbortSignal): Promise<void> {
  for (const { directory, isAlive: isUsed, record } of await findLabs()) {
    if (isUsed) continue;
    await endProcesses([record?.init, record?.launcher], signal);
    await removeFolder(directory, signal);
  }
}

/** Ends process 1 of a lab, and with it, by the kernel, every process and namespace of it. */
export async function endProcesses(
  all: readonly (ProcessId | undefined)[],
  signal: AbortSignal,
): Promise<void> {
  const processes = all.filter((process) => process !== undefined);
  for (const process of processes) killNow(process);
  let wokenAt = performance.now();
  const areGone = (): true | undefined => {
    if (!processes.some(isAlive)) return true;
    if (performance.now() - wokenAt < WAKE_EVERY_MS) return undefined;
    wakeCollectors();
    wokenAt = performance.now();
    return undefined;
  };
  await waitFor(areGone, {
    signal,
    timeoutMs: END_MS,
    what: 'every process of a lab has ended',
    intervalMs: 1,
  });
}

export async function removeFolder(directory: string, signal: AbortSignal): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    // Files of the lab's other users (subordinate ids).
    if (errnoOf(error) !== 'EACCES' && errnoOf(error) !== 'EPERM') throw error;
    await removeAsLabRoot(directory, signal);
  }
}

/** Only the root of a namespace with the same ids may remove what the lab's users made. */
async function removeAsLabRoot(directory: string, signal: AbortSignal): Promise<void> {
  const name = join(LABS, `.gwlab-remove-${randomUUID()}`);
  const gate = `${name}.go`;
  const logFile = `${name}.log`;
  try {
    const argv = ['dash', '-c', AWAIT_IDS, 'lab-remove', gate, 'exec rm -rf -- "$1"', directory];
    const { launcher } = await startInUserNamespace({ gate, argv, isDetached: false, logFile, signal });
    const isOver = (): true | undefined => (isAlive(launcher) ? undefined : true);
    await waitFor(isOver, { signal, timeoutMs: 30_000, what: `${directory} is removed` });
    const said = (await readFile(logFile, 'utf8')).trim();
    if (said !== '') throw new GatewayError(`could not remove ${directory}: ${said}`, { code: 'LabFailed' });
  } finally {
    await Promise.all([rm(gate, { force: true }), rm(logFile, { force: true })]);
  }
}
