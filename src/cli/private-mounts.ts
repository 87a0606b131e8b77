import { access, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { detach, run, type Argv } from '../system/run.ts';

export interface PrivateMounts {
  /** What stands before a command that runs inside. */
  readonly enter: readonly string[];
  close(): void;
}

const READY_WITHIN_MS = 5000;

/** The namespace's network, its files of /etc/netns over those of /etc, and emptiness in place of `hidden`. */
export async function privateMounts(namespace: string, hidden: readonly string[]): Promise<PrivateMounts> {
  // It holds the mounts while the program runs, and ends with us, however we end.
  const holder: Argv = [
    'ip',
    'netns',
    'exec',
    namespace,
    'setpriv',
    '--pdeathsig=KILL',
    '--',
    'sleep',
    'infinity',
  ];
  const pid = await detach(holder, { logFile: '/dev/null', cwd: '/' });
  const close = (): void => void process.kill(pid, 'SIGKILL');
  await untilHeld(pid, namespace);
  const enter = ['nsenter', `--target=${pid}`, '--mount', '--net', '--'] as const;
  for (const directory of hidden) {
    if (!(await isThere(directory))) continue;
    const options = 'ro,nosuid,nodev,noexec,mode=0755,size=4k';
    await run([...enter, 'mount', '-t', 'tmpfs', '-o', options, 'gateway', directory], {
      signal: AbortSignal.timeout(READY_WITHIN_MS),
    });
  }
  return { enter, close };
}

/** Its name changes with the last of its programs, which begins when everything is mounted. */
async function untilHeld(pid: number, namespace: string): Promise<void> {
  const patience = AbortSignal.timeout(READY_WITHIN_MS);
  while ((await nameOf(pid)) !== 'sleep') {
    if (patience.aborted || (await nameOf(pid)) === undefined) {
      throw new GatewayError(`namespace ${namespace} could not be entered`, {
        code: 'NamespaceMissing',
        hint: 'gateway up makes it again',
      });
    }
    await sleep(5);
  }
}

async function nameOf(pid: number): Promise<string | undefined> {
  try {
    const name = (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
    const isZombie = /^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, 'utf8'));
    return isZombie ? undefined : name;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw new GatewayError(`${path} could not be examined`, { code: 'PermissionDenied', cause: error });
  }
}
