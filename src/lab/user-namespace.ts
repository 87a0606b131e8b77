import { readFile, readlink, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';
import { detach, run } from '../system/run.ts';
import { environmentOutside } from './places.ts';
import { identify, isAlive, type ProcessId } from './processes.ts';
import { waitFor } from './waiting.ts';

interface IdsOptions {
  readonly pid: number;
  readonly signal: AbortSignal;
}

/**
 * Maps the ids 0 to 65535 of the namespace of `pid`: to themselves for root, to the range of /etc/subuid for another
 * user. With neither, only its root is mapped (to the user who started it), and no program in it can change user.
 * Resolves with whether users are mapped.
 */
async function mapIds({ pid, signal }: IdsOptions): Promise<boolean> {
  if (process.getuid?.() === 0 && (await wroteMaps(pid, '0 0 65536'))) return true;
  if (process.getuid?.() !== 0 && (await mapSubordinateIds(pid, signal))) return true;
  await mapSingleId(pid);
  return false;
}

async function wroteMaps(pid: number, map: string): Promise<boolean> {
  try {
    await writeFile(`/proc/${pid}/uid_map`, map);
    await writeFile(`/proc/${pid}/gid_map`, map);
    return true;
  } catch (error) {
    // Root of a container that has fewer ids: one id still works.
    if (errnoOf(error) === 'EPERM' || errnoOf(error) === 'EINVAL') return false;
    throw error;
  }
}

async function mapSubordinateIds(pid: number, signal: AbortSignal): Promise<boolean> {
  const { username, uid, gid } = userInfo();
  const first = {
    uid: await firstSubordinateId('/etc/subuid', username, uid),
    gid: await firstSubordinateId('/etc/subgid', username, uid),
  };
  if (first.uid === undefined || first.gid === undefined) return false;
  const map = (own: number, others: number): string[] => ['0', `${own}`, '1', '1', `${others}`, '65535'];
  try {
    const env = environmentOutside();
    await run(['newuidmap', `${pid}`, ...map(uid, first.uid)], { signal, env });
    await run(['newgidmap', `${pid}`, ...map(gid, first.gid)], { signal, env });
    return true;
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'CommandMissing') return false;
    throw error;
  }
}

/** Start of the first range that holds 65535 ids. Lines are `name-or-uid:first:count` (subuid(5)). */
async function firstSubordinateId(file: string, name: string, uid: number): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  });
  const range = text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([owner, , count]) => (owner === name || owner === `${uid}`) && Number(count) >= 65_535);
  return range === undefined ? undefined : Number(range[1]);
}

async function mapSingleId(pid: number): Promise<void> {
  try {
    await writeFile(`/proc/${pid}/setgroups`, 'deny');
    await writeFile(`/proc/${pid}/uid_map`, `0 ${process.getuid?.() ?? 0} 1`);
    await writeFile(`/proc/${pid}/gid_map`, `0 ${process.getgid?.() ?? 0} 1`);
  } catch (cause) {
    throw new GatewayError(`cannot map a user into the lab: ${messageOf(cause)}`, {
      code: 'LabFailed',
      cause,
    });
  }
}

export interface UserNamespaceOptions {
  /** The program waits until this file exists: then its ids are mapped. */
  readonly gate: string;
  /** What follows `unshare`: kinds of namespaces, and the program. */
  readonly argv: readonly string[];
  /** Dies with us unless true. */
  readonly isDetached: boolean;
  readonly logFile: string;
  readonly signal: AbortSignal;
}

export interface UserNamespace {
  /** `unshare`; its child is process 1 inside. */
  readonly launcher: ProcessId;
  readonly areUsersMapped: boolean;
}

/** Starts a program in a fresh user namespace and lets it go on once its ids are mapped. */
export async function startInUserNamespace(options: UserNamespaceOptions): Promise<UserNamespace> {
  const { gate, isDetached, logFile, signal } = options;
  const leash = isDetached ? [] : ['setpriv', '--pdeathsig', 'KILL', '--'];
  const [program, ...words] = [...leash, 'unshare', '--user', ...options.argv];
  const pid = await detach([program ?? 'unshare', ...words], { logFile, env: environmentOutside() });
  const launcher = identify(pid);
  if (launcher === undefined) throw new GatewayError(await refusal(logFile), { code: 'LabFailed' });
  await entered(launcher, logFile, signal);
  const areUsersMapped = await mapIds({ pid, signal });
  await writeFile(gate, '');
  return { launcher, areUsersMapped };
}

/** Until the process has left our user namespace. */
async function entered(launcher: ProcessId, logFile: string, signal: AbortSignal): Promise<void> {
  const ours = await readlink('/proc/self/ns/user');
  await waitFor(
    async () => {
      const its = await readlink(`/proc/${launcher.pid}/ns/user`).catch((error: unknown) => {
        // Gone, or on its way between two sets of rights: the next look, or `failed`, knows.
        if (['ENOENT', 'EACCES', 'EPERM', 'ESRCH'].includes(errnoOf(error) ?? '')) return ours;
        throw error;
      });
      return its === ours ? undefined : true;
    },
    {
      signal,
      timeoutMs: 5000,
      what: 'a user namespace is made',
      failed: async () => (isAlive(launcher) ? undefined : refusal(logFile)),
      intervalMs: 1,
    },
  );
}

async function refusal(logFile: string): Promise<string> {
  const said = (await readFile(logFile, 'utf8')).trim() || 'unshare ended';
  return (
    `this machine does not let ${userInfo().username} make namespaces: ${said}. ` +
    'Look at: sysctl user.max_user_namespaces kernel.unprivileged_userns_clone kernel.apparmor_restrict_unprivileged_userns'
  );
}
