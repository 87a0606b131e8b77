import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { LABS } from './places.ts';
import { isAlive } from './processes.ts';
import { findLabs } from './record.ts';
import { AWAIT_IDS } from './scripts.ts';
import { startInUserNamespace } from './user-namespace.ts';
import { waitFor } from './waiting.ts';

/** Folders of labs that died with their owner. Processes, namespaces and mounts ended by themselves. */
export async function removeStaleLabs(signal: AbortSignal): Promise<void> {
  for (const lab of await findLabs()) {
    if (!lab.isAlive) await removeFolder(lab.directory, signal);
  }
}

export async function removeFolder(directory: string, signal: AbortSignal): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    // Files of the lab's other users (subordinate ids), or overlayfs's own folder without permissions.
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
