import { getServers } from 'node:dns/promises';
import { access } from 'node:fs/promises';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import type { Status } from '../../core/status.ts';
import type { GatewayState, World } from '../../doctor/world.ts';
import { pathsOf, type Directories } from '../directories.ts';
import { connectTo } from './connect.ts';
import { disksOf } from './disks.ts';
import { defaultRoutes, wayOut } from './links.ts';
import { listeners } from './listeners.ts';
import { lookUp, lookUpAtSource } from './lookup.ts';
import { machine } from './machine.ts';
import { askPage } from './page.ts';
import { lookForNats } from './nat.ts';
import { printed } from './printed.ts';
import { askRouterWhoItIs } from './router.ts';
import { seenByStun } from './stun-seen.ts';
import { visitByTor } from './visit.ts';

export interface WorldOptions {
  readonly directories: Directories;
  /** An answer of the API; rejects with `GatewayError`. */
  readonly ask: <Answer>(path: string, signal: AbortSignal) => Promise<Answer>;
  /** What a change comes to; rejects with `GatewayError`. */
  readonly post: <Answer>(path: string, body: unknown, signal: AbortSignal) => Promise<Answer>;
  readonly signal: AbortSignal;
}

const GATEWAY_MS = 7000;

/** This machine and its network, as the checks see them. */
export async function openWorld(options: WorldOptions): Promise<World> {
  const { directories, ask, signal } = options;
  let gateway: Promise<GatewayState> | undefined;
  return {
    now: () => Date.now(),
    machine: await machine(),
    gateway: () =>
      (gateway ??= askGateway(options, AbortSignal.any([signal, AbortSignal.timeout(GATEWAY_MS)]))),
    ask,
    disks: () => disksOf([directories.config, directories.state, directories.run]),
    wayOut,
    defaultRoutes,
    page: askPage,
    lookup: lookUp,
    lookupAtSource: lookUpAtSource,
    resolvers: getServers,
    stun: seenByStun,
    connect: connectTo,
    visit: (visit, until) => visitByTor(directories, visit, until),
    nat: (mode, isOffline, until) => lookForNats(options, mode, isOffline, until),
    program: printed,
    listeners,
    router: askRouterWhoItIs,
  };
}

async function askGateway({ ask, directories }: WorldOptions, signal: AbortSignal): Promise<GatewayState> {
  try {
    return { state: 'running', status: await ask<Status>('/v1/status', signal) };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (error.code === 'PermissionDenied') return { state: 'denied', why: error.message };
    return {
      state: (await isThere(pathsOf(directories).configFile)) ? 'stopped' : 'none',
      why: error.message,
    };
  }
}

/** Also where this user may not look. */
async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return !['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
  }
}
