import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../core/errors.ts';
import type { TorInstance } from '../core/tor-instance.ts';
import { fileError } from '../system/files.ts';
import type { HelperEnvironment, UserIds } from './environment.ts';
import { ensureOwned, openOwned } from './owned-directory.ts';
import { currentProgram, isEdgeInstalled, lookAtProgram } from './tor-program.ts';
import { WAY_OUT_PORTS, type TorrcPlace } from './torrc.ts';

/**
 * The state directory belongs to the daemon's user, who must not be able to lead root elsewhere by a link. So everything
 * below `tor/` is reached through an open descriptor of it, and it and `onions/` belong to root: nobody else can
 * exchange what lies in them.
 *
 *   tor/            root    0750   torrc, torrc-defaults, tor.log, <service>.json inside onions/
 *   tor/data/       tor     0700   tor's own
 *   tor/onions/     root    0750
 *   tor/onions/shop tor     0700   HiddenServiceDir
 */
export interface TorDirectory {
  /** `/proc/self/fd/N`: only for our own process. */
  readonly base: string;
  readonly onions: string;
  /** To whom what tor reads must belong. */
  readonly tor: UserIds;
  /** Where visitors of an onion come to HAProxy. */
  readonly doorOf: (service: string) => string;
}

/** The same environment, with the paths of one of our tor processes. */
export function ofInstance(environment: HelperEnvironment, instance: TorInstance): HelperEnvironment {
  const { paths } = environment;
  return { ...environment, paths: { ...paths, ...paths.ofTor(instance) } };
}

/** One that never ran has no directory, and looking must not make one. */
export async function hasTorDirectory({ paths }: HelperEnvironment): Promise<boolean> {
  try {
    await lstat(paths.torState);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw fileError(`${paths.torState} could not be looked at`, error);
  }
}

export async function inTorDirectory<Result>(
  environment: HelperEnvironment,
  work: (directory: TorDirectory) => Promise<Result>,
): Promise<Result> {
  const { paths, tor } = environment;
  await lookAtProgram(environment);
  const root = { uid: process.getuid?.() ?? 0, gid: tor.gid };
  const top = await openOwned(paths.torState, root, 0o750);
  try {
    const base = `/proc/self/fd/${top.fd}`;
    await ensureOwned(join(base, 'data'), tor, 0o700);
    await ensureOwned(join(base, 'onions'), root, 0o750);
    const doorOf = (service: string): string => paths.onionDoor(paths.torInstance, service);
    return await work({ base, onions: join(base, 'onions'), tor, doorOf });
  } finally {
    await top.close();
  }
}

/** Makes the directory of tor's sockets, which the daemon may enter by its group. */
export function ensureRunDirectory({ paths, tor }: HelperEnvironment): Promise<void> {
  return ensureOwned(paths.torRun, tor, 0o750);
}

/** Paths as tor's own process sees them. */
export function torrcPlace({ paths }: HelperEnvironment): TorrcPlace {
  return {
    dataDirectory: join(paths.torState, 'data'),
    pidFile: paths.torPid,
    controlSocket: paths.torControl,
    socksSocket: paths.torSocks,
    onionDirectory: (service) => join(paths.torState, 'onions', service),
    doorOf: (service) => (isEdgeInstalled() ? paths.onionDoor(paths.torInstance, service) : undefined),
    hasProofOfWork: currentProgram().hasProofOfWork,
    wayOut: paths.torInstance === 'single-hop' ? undefined : WAY_OUT_PORTS[paths.torInstance],
  };
}
