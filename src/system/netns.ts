import { statfs } from 'node:fs/promises';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { run, type Argv } from './run.ts';

/** A name, as `ip netns` keeps them, or the path of any other one. `undefined` stands for the one that we run in. */
export type Netns = string | undefined;

export const NETNS_DIRECTORY = '/run/netns';
const NSFS_MAGIC = 0x6e736673;

export function netnsPath(name: string): string {
  return name.includes('/') ? name : `${NETNS_DIRECTORY}/${name}`;
}

/** nsenter, not `ip netns exec`: that one has private mounts, in which what a command creates vanishes with it. */
export function inNetns(netns: Netns, argv: Argv): Argv {
  return netns === undefined ? argv : ['nsenter', `--net=${netnsPath(netns)}`, '--', ...argv];
}

/** False too for the plain file that `ip netns add` leaves when it is killed before it mounts. */
export async function isNetns(name: string): Promise<boolean> {
  try {
    return (await statfs(netnsPath(name))).type === NSFS_MAGIC;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw new GatewayError(`${netnsPath(name)} could not be examined`, {
      code: 'PermissionDenied',
      cause: error,
    });
  }
}

/** Makes the namespace unless it stands. */
export async function ensureNetns(name: string, signal: AbortSignal): Promise<void> {
  if (await isNetns(name)) return;
  await removeNetns(name, signal);
  await run(['ip', 'netns', 'add', name], { signal });
}

/** Takes the name away. Programs inside keep running in a namespace without a name until they end. */
export async function removeNetns(name: string, signal: AbortSignal): Promise<void> {
  const ran = await run(['ip', 'netns', 'del', name], { signal, accept: [0, 1] });
  if (ran.exitCode === 0 || ran.stderr.includes('No such file')) return;
  throw new GatewayError(`namespace ${name} could not be removed: ${ran.stderr.trim()}`, {
    code: 'CommandFailed',
  });
}

/** What a command without an address in it is about: routes and rules are IPv4's unless told otherwise. */
export type Family = '-4' | '-6';

/** Many `ip` commands in one process; the first that fails ends it. */
export async function ipBatch(
  netns: Netns,
  lines: readonly string[],
  signal: AbortSignal,
  family?: Family,
): Promise<void> {
  if (lines.length === 0) return;
  const argv: Argv = ['ip', ...(family === undefined ? [] : [family]), '-batch', '-'];
  await run(inNetns(netns, argv), { signal, input: `${lines.join('\n')}\n` });
}

/** Removes a link; fine when there is none. */
export async function removeLink(netns: Netns, link: string, signal: AbortSignal): Promise<void> {
  const argv = inNetns(netns, ['ip', 'link', 'del', 'dev', link]);
  const ran = await run(argv, { signal, accept: [0, 1] });
  if (ran.exitCode === 0 || ran.stderr.includes('Cannot find device')) return;
  throw new GatewayError(`link ${link} could not be removed: ${ran.stderr.trim()}`, {
    code: 'CommandFailed',
  });
}

/** Kernel settings; keys that this kernel does not have (IPv6 compiled out) are passed over. */
export async function setSysctls(
  netns: Netns,
  values: Readonly<Record<string, number>>,
  signal: AbortSignal,
): Promise<void> {
  const pairs = Object.entries(values).map(([key, value]) => `${key}=${value}`);
  await run(inNetns(netns, ['sysctl', '-q', '-e', '-w', ...pairs]), { signal });
}

/** One value a key, in order. */
export async function readSysctls(
  netns: Netns,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const { stdout } = await run(inNetns(netns, ['sysctl', '-n', ...keys]), { signal });
  return stdout.trim().split('\n');
}
