import { chmod, mkdir } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/ports.ts';
import { Turn } from '../../core/turn.ts';
import type { HelperEnvironment } from '../../helper/environment.ts';
import { ensureOwned } from '../../helper/owned-directory.ts';
import { asUser } from '../../helper/run-as.ts';
import { closeServer, listenOn } from '../../helper/socket.ts';
import { fileError } from '../../system/files.ts';
import { notifyReady } from '../../system/notify.ts';
import { type Argv, attach } from '../../system/run.ts';
import { lookUpUser } from '../../system/users.ts';

import { answerLines } from '../lines.ts';
import { relayPlaces, type RelayPlaces } from '../places.ts';
import { type RelayGround, RootQuestion } from '../state.ts';
import { Applier, takeAway } from './applier.ts';
import { hasIpv6 } from './forwarding.ts';
import { demandPorts } from './ports.ts';
import { ensureTunnelIdentity, publicKeyOf } from './tunnel.ts';

export interface RootOptions {
  readonly state: string | undefined;
  /** Where visitors come in: addresses of this machine. */
  readonly addresses: readonly string[];
  readonly tlsPort: number;
  readonly httpPort: number | null;
  readonly wireguardPort: number;
  readonly other: string | undefined;
  /** Starts the part that faces the network; runs as user gateway, in our terminal. */
  readonly front: Argv;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What every network passes: 1500, less IPv6, UDP and WireGuard's own. */
const MTU = 1420;
const HEAL_MS = 5000;
const RESTART_MS = 1000;

/**
 * The part of a relay that is root. It speaks to nobody but its own other part, whose every word is checked, and outlives
 * it; HAProxy, WireGuard and the rules outlive both.
 */
export async function runRelayRoot(options: RootOptions): Promise<void> {
  const { log, signal } = options;
  const places = relayPlaces(options.state);
  const environment = await prepareRelay(places, log);
  await demandPorts(options, environment, signal);
  const identity = await ensureTunnelIdentity(places, signal);
  const ground = await groundOf(options, identity, publicKeyOf(identity));
  const { addresses, other } = options;
  const applier = new Applier({ places, identity, ground, addresses, other, environment });
  const turn = turns(log);
  const leaving = new Leaving();
  const over = new AbortController();
  const ends = AbortSignal.any([signal, leaving.signal, over.signal]);
  const server = await listenOn(places.rootSocket, { gid: environment.gateway.gid }, (socket) => {
    leaving.knows(socket);
    answerLines(socket, async (said) => {
      const question = RootQuestion.parse(said);
      return question.ask === 'down' ? leaving.begin(socket) : turn(() => answer(question, applier, ends));
    });
  });
  try {
    const healing = healFrom(applier, turn, ends);
    await notifyReady('ready', signal);
    await keepFront(options.front, applier, environment, ends);
    await healing;
    if (leaving.signal.aborted) await takeAway(places, environment, AbortSignal.timeout(60_000));
    leaving.isDone();
  } finally {
    over.abort();
    await closeServer(server, places.rootSocket, leaving.sockets);
  }
}

/** `gateway relay down`: the part that faces the network ends, and who asked for it is told when all is gone. */
class Leaving {
  readonly sockets = new Set<Socket>();
  readonly #begun = new AbortController();
  readonly #done = Promise.withResolvers<null>();

  get signal(): AbortSignal {
    return this.#begun.signal;
  }

  knows(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
  }

  begin(by: Socket): Promise<null> {
    this.#begun.abort();
    for (const socket of this.sockets) if (socket !== by) socket.destroy();
    return this.#done.promise;
  }

  isDone(): void {
    this.#done.resolve(null);
  }
}

async function answer(
  question: Exclude<RootQuestion, { ask: 'down' }>,
  applier: Applier,
  signal: AbortSignal,
): Promise<unknown> {
  if (question.ask === 'apply') return applier.apply(question.holdings, signal).then(() => null);
  if (question.ask === 'peers') {
    const peers = await applier.peers(signal);
    return peers.map(({ publicKey, latestHandshake, received, sent }) => ({
      publicKey,
      latestHandshake,
      received,
      sent,
    }));
  }
  return applier.ground;
}

type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** One at a time, in the order in which they came; what fails is logged, and told whoever asked. */
function turns(log: Log): InTurn {
  const turn = new Turn();
  return (work) =>
    turn.take(work).catch((error: unknown) => {
      log('warn', 'the relay could not do what was asked', { why: messageOf(error) });
      throw error;
    });
}

async function groundOf(
  { tlsPort, httpPort, wireguardPort }: RootOptions,
  { block, block6 }: { readonly block: string; readonly block6: string },
  publicKey: string,
): Promise<RelayGround> {
  const six = (await hasIpv6()) ? { block6 } : {};
  return { publicKey, block, ...six, wireguardPort, tlsPort, httpPort, mtu: MTU };
}

/** Users and directories; root alone can. */
export async function prepareRelay(places: RelayPlaces, log: Log): Promise<HelperEnvironment> {
  if (process.geteuid?.() !== 0) {
    throw new GatewayError('a relay that carries visitors needs root: it makes an interface and rules', {
      code: 'PermissionDenied',
      retry: 'never',
      hint: 'sudo gateway relay up; or, for one that only looks: gateway relay up --probe-only',
    });
  }
  const [gateway, edge] = await Promise.all([lookUpUser('gateway'), lookUpUser('gateway-edge')]);
  const { directories, paths } = places;
  const root = { uid: 0, gid: 0 };
  for (const directory of [directories.state, directories.run]) {
    await mkdir(directory, { recursive: true }).catch((error: unknown) => {
      throw fileError(`${directory} could not be made`, error);
    });
    await chmod(directory, 0o711);
  }
  await ensureOwned(places.members, gateway, 0o700);
  await ensureOwned(places.front, gateway, 0o700);
  await ensureOwned(places.root, root, 0o700);
  await ensureOwned(paths.logs, root, 0o750);
  // No part of it needs another user.
  return { directories, paths, gateway, tor: gateway, edge, edgeUnit: 'gateway-relay-edge', log };
}

/** The part that faces the network is started again when it ends; it takes over what its homes hold. */
async function keepFront(
  front: Argv,
  applier: Applier,
  { gateway, log }: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const argv = [...asUser(gateway), ...front] as unknown as Argv;
  while (!signal.aborted) {
    const exitCode = await attach(argv, { cwd: '/' });
    if (signal.aborted || exitCode === 0) return;
    if (!applier.isBegun) throw notStarted(exitCode);
    log('warn', 'the part that faces the network ended and is started again', { exitCode });
    await pause(RESTART_MS, signal);
  }
}

/** It said why in our terminal; again and again would not help. */
function notStarted(exitCode: number): GatewayError {
  return new GatewayError(`the part of the relay that faces the network did not start (${exitCode})`, {
    code: 'CommandFailed',
    hint: 'what it said stands above',
  });
}

async function healFrom(applier: Applier, turn: InTurn, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pause(HEAL_MS, signal);
    // What fails stands in the log; it is tried again.
    if (!signal.aborted) await turn(() => applier.heal(signal)).catch(() => undefined);
  }
}

/** Ends early when the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => undefined);
}
