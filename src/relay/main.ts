import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { GatewayError } from '../core/errors.ts';
import { formatEndpoint, isPublicUnicast } from '../core/inet.ts';
import { isPublicIpv6 } from '../core/inet6.ts';
import type { Log } from '../core/ports.ts';
import { fileError } from '../system/files.ts';
import { Answerer } from './answer.ts';
import { Carrier } from './carry/carrier.ts';
import { control } from './control.ts';
import { ensureIdentity } from './identity.ts';
import { makeInvite, tellInvites } from './invites.ts';
import { HomeWatcher, type WatchTerms } from './home-watch.ts';
import { lineClient } from './lines.ts';
import { Members } from './members.ts';
import type { RelayPlaces } from './places.ts';
import { listen } from './server.ts';
import { serveStun, STUN_PORT } from './stun-server.ts';
import { Walks } from './walks.ts';

export interface RelayOptions {
  /** The relay's own: key, invites, homes. */
  readonly directory: string;
  /** Addresses of this machine; empty: all its public ones. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** What homes are told to dial; default: the first address. */
  readonly publicHost?: string | undefined;
  /** Carries visitors, with the part that is root; absent: it only looks. */
  readonly carries?: RelayPlaces | undefined;
  /** When and whom it tells that a home is silent, other than usual. */
  readonly watch?: Partial<WatchTerms>;
  readonly version: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface RelayUp {
  /** Each `address:port`. */
  readonly listening: readonly string[];
  readonly fingerprint: string;
  readonly homes: number;
  /** For the first home; `null` when one has joined. */
  readonly invite: string | null;
}

/** Runs until the signal aborts; `ready` is told once it listens. */
export async function runRelay(options: RelayOptions, ready: (up: RelayUp) => void): Promise<void> {
  const cut = new AbortController();
  try {
    await runUntil(cut, options, ready);
  } finally {
    // Whatever it got hold of by then would keep the process.
    cut.abort();
  }
}

async function runUntil(
  cut: AbortController,
  options: RelayOptions,
  ready: (up: RelayUp) => void,
): Promise<void> {
  const { directory, port, version, log, carries } = options;
  const addresses = addressesFor(options.addresses);
  const host = options.publicHost ?? addresses[0];
  const signal = AbortSignal.any([options.signal, cut.signal]);
  await prepare(directory);
  const identity = await ensureIdentity(directory);
  const members = new Members(directory);
  await members.prepare();
  const hasStun = await serveStun({ addresses, now: Date.now, log, signal });
  const stunPort = hasStun ? STUN_PORT : null;
  const root = carries === undefined ? undefined : await lineClient(carries.rootSocket, () => cut.abort());
  signal.addEventListener('abort', () => root?.close(), { once: true });
  const carrier =
    root === undefined
      ? undefined
      : await Carrier.start({ members, directory, root, host, port, now: Date.now });
  const walks = await Walks.open({ addresses, stunPort, now: Date.now, log, signal });
  const watcher = await HomeWatcher.start(
    { directory, members, carrier, now: Date.now, log, terms: options.watch },
    signal,
  );
  const answerer = new Answerer({
    members,
    addresses,
    stunPort,
    carrier,
    walks,
    watcher,
    version,
    now: Date.now,
    log,
  });
  await listen({ addresses, port, identity, answerer, watcher, log, signal });
  const { fingerprint } = identity;
  const address = formatEndpoint({ host, port });
  await tellInvites(directory, { address, fingerprint });
  const homes = (await members.homes()).length;
  if (homes === 0) await members.withdrawInvites();
  const invite = homes > 0 ? null : await makeInvite(directory, Date.now());
  const listening = addresses.map((host) => formatEndpoint({ host, port }));
  if (carries !== undefined && carrier !== undefined)
    await control({ path: carries.controlSocket, directory, members, carrier, log, signal });
  log('info', 'relay ready', { listening, homes, stunPort });
  ready({ listening, fingerprint, homes, invite });
  if (!signal.aborted) await once(signal, 'abort');
  if (!options.signal.aborted) throw rootGone();
}

/** Those that were asked for, or all public ones of this machine. */
export function addressesFor(asked: readonly string[]): readonly [string, ...string[]] {
  const [first, ...rest] = asked.length > 0 ? asked : publicAddresses();
  if (first === undefined) throw noAddress();
  return [first, ...rest];
}

function rootGone(): GatewayError {
  return new GatewayError('the part of the relay that is root ended', { code: 'HelperUnreachable' });
}

async function prepare(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(`the relay's directory ${directory} could not be made`, error);
  }
}

function publicAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const isOutside = ({ family, address }: (typeof all)[number]): boolean =>
    family === 'IPv4' ? isPublicUnicast(address) : isPublicIpv6(address);
  return all.filter((one) => !one.internal && isOutside(one)).map(({ address }) => address);
}

function noAddress(): GatewayError {
  return new GatewayError('this machine has no public address of its own', {
    code: 'NotSupported',
    hint: 'a relay must stand outside; if a router forwards to this machine, say: --listen ADDRESS:PORT --public HOST',
  });
}
