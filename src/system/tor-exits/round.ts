import { randomBytes, randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { judgeExits, type ExitsReport, type ExitTarget, type ExitVisit } from '../../core/exits.ts';
import type { ExitWatch } from './exit-watch.ts';
import type { Exchange } from './exchange.ts';
import { openThroughTor, type Login } from './open.ts';

export interface RoundOptions {
  readonly socksSocket: string;
  readonly target: ExitTarget;
  readonly exchange: Exchange;
  readonly watch: ExitWatch;
  /** Each exit first reaches another machine on the internet: only then its silence says something. */
  readonly isTried: boolean;
}

/**
 * Root name servers (a, f, k and m; root-servers.org): always there, at TCP port 53, which exits let out. That an exit
 * connects to one and hangs up tells nobody anything about us.
 */
const OTHERS: readonly [string, ...string[]] = ['198.41.0.4', '192.5.5.241', '193.0.14.129', '202.12.27.33'];
const OTHERS_PORT = 53;

const AT_ONCE = 3;
/** Which exit it is, is for tor to choose, by chance: the same one may come again. */
const MAX_VISITS = 6;
/** To build a circuit and connect; tor itself gives an exit ten seconds. */
const OPEN_MS = 20_000;
/** Control port and SOCKS port tell of one failure, in either order. */
const TELL_MS = 500;

/** Visits by one exit after another, until enough of them agree. */
export async function visitByExits(options: RoundOptions, signal: AbortSignal): Promise<ExitsReport> {
  const visits: ExitVisit[] = [];
  const decided = new AbortController();
  const either = AbortSignal.any([signal, decided.signal]);
  const taken = new Set<string>();
  let begun = 0;
  const visitAgain = async (): Promise<void> => {
    while (begun < MAX_VISITS && !either.aborted) {
      begun += 1;
      const visit = await visitOnce(options, taken, either);
      if (visit !== undefined) visits.push(visit);
      if (isEnough(visits, options.isTried)) decided.abort();
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, () => visitAgain()));
  } finally {
    decided.abort();
  }
  signal.throwIfAborted();
  return { ...judgeExits(visits), visits };
}

/** Where nobody is tried, anything but a proof asks for those who are. */
function isEnough(visits: readonly ExitVisit[], isTried: boolean): boolean {
  if (judgeExits(visits).reachable !== 'unknown') return true;
  return !isTried && visits.some(({ outcome }) => outcome !== 'carried' && outcome !== 'broken');
}

/** `undefined` when it was not waited for, or came by an exit that is `taken`: it would say nothing new. */
export async function visitOnce(
  options: RoundOptions,
  taken: Set<string>,
  signal: AbortSignal,
): Promise<ExitVisit | undefined> {
  const { target, exchange, watch, isTried } = options;
  const login: Login = { user: randomBytes(8).toString('hex'), password: randomBytes(8).toString('hex') };
  try {
    const tried = isTried ? await reachOther(options, login, signal) : undefined;
    if (tried !== undefined && taken.has(tried)) return undefined;
    if (tried !== undefined) taken.add(tried);
    const found = await open(target, options, login, signal);
    if (!('socket' in found)) return { ...found, isTried: found.exit !== undefined && found.exit === tried };
    const exit = watch.exitOf(login.user);
    return { exit, ...(await exchange(found.socket, signal)), isTried: exit !== undefined && exit === tried };
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    await watch.drop(login.user);
  }
}

/** The exit by which another machine was reached. */
async function reachOther(
  options: RoundOptions,
  login: Login,
  signal: AbortSignal,
): Promise<string | undefined> {
  const host = OTHERS[randomInt(OTHERS.length)] ?? OTHERS[0];
  const found = await open({ host, port: OTHERS_PORT }, options, login, signal);
  if (!('socket' in found)) return undefined;
  found.socket.destroy();
  return options.watch.exitOf(login.user);
}

const BROKEN = { exit: undefined, outcome: 'broken' } as const;

/** The stream, or by which exit it failed first: tor would go on with another one. */
async function open(
  target: ExitTarget,
  { socksSocket, watch }: RoundOptions,
  login: Login,
  signal: AbortSignal,
): Promise<{ readonly socket: Socket } | Omit<ExitVisit, 'isTried'>> {
  const done = new AbortController();
  const limit = AbortSignal.timeout(OPEN_MS);
  const either = AbortSignal.any([signal, done.signal, limit]);
  const mark = watch.mark();
  const opening = openThroughTor(target, { socksSocket, login, timeoutMs: OPEN_MS }, either).then(
    (socket) => ({ socket }),
    async (error: unknown) => {
      if (isTorAway(error)) throw unavailable(error);
      await sleep(TELL_MS, undefined, { signal: either });
      return BROKEN;
    },
  );
  try {
    return await Promise.race([opening, watch.missed(login.user, mark, either)]);
  } catch (error) {
    if (limit.aborted && !signal.aborted) return BROKEN;
    throw error;
  } finally {
    done.abort();
  }
}

function isTorAway(error: unknown): boolean {
  return /ENOENT|ECONNREFUSED|EACCES/.test(messageOf(error));
}

function unavailable(cause: unknown): GatewayError {
  return new GatewayError(`tor does not accept connections on its SOCKS socket: ${messageOf(cause)}`, {
    code: 'TorUnavailable',
    cause,
  });
}
