import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import { formatEndpoint, isPublicUnicast } from '../core/inet.ts';
import { isPublicIpv6 } from '../core/inet6.ts';
import type { Log } from '../core/ports.ts';
import { fileError, readFileIfExists, writeFileAtomic } from '../system/files.ts';
import { renderInvite } from '../wire/invite.ts';
import { Answerer } from './answer.ts';
import { ensureIdentity } from './identity.ts';
import { Members } from './members.ts';
import { listen } from './server.ts';
import { serveStun, STUN_PORT } from './stun-server.ts';

export interface RelayOptions {
  /** The relay's own: key, invites, homes. */
  readonly directory: string;
  /** Addresses of this machine; empty: all its public ones. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** What homes are told to dial; default: the first address. */
  readonly publicHost?: string | undefined;
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

const INVITE_MS = 24 * 3_600_000;
/** What the running relay tells `gateway relay invite`. */
const Told = z.object({ address: z.string(), fingerprint: z.string() });
const TOLD = 'relay.json';

/** Runs until the signal aborts; `ready` is told once it listens. */
export async function runRelay(options: RelayOptions, ready: (up: RelayUp) => void): Promise<void> {
  const { directory, port, version, log, signal } = options;
  const addresses = options.addresses.length > 0 ? options.addresses : publicAddresses();
  const [first] = addresses;
  if (first === undefined) throw noAddress();
  await prepare(directory);
  const identity = await ensureIdentity(directory);
  const members = new Members(directory);
  await members.prepare();
  const hasStun = await serveStun({ addresses, now: Date.now, log, signal });
  const stunPort = hasStun ? STUN_PORT : null;
  const answerer = new Answerer({ members, addresses, stunPort, version, now: Date.now, log });
  await listen({ addresses, port, identity, answerer, log, signal });
  const { fingerprint } = identity;
  const address = formatEndpoint({ host: options.publicHost ?? first, port });
  await writeFileAtomic(join(directory, TOLD), JSON.stringify({ address, fingerprint }), { mode: 0o600 });
  const homes = (await members.homes()).length;
  if (homes === 0) await members.withdrawInvites();
  const invite = homes > 0 ? null : await makeInvite(directory, Date.now());
  const listening = addresses.map((host) => formatEndpoint({ host, port }));
  log('info', 'relay ready', { listening, homes, stunPort });
  ready({ listening, fingerprint, homes, invite });
  if (!signal.aborted) await once(signal, 'abort');
}

/** A new invite of the relay with this directory, for one home, for a day. */
export async function makeInvite(directory: string, nowMs: number): Promise<string> {
  const text = (await readFileIfExists(join(directory, TOLD)))?.toString();
  if (text === undefined) {
    throw new GatewayError(`no relay was ever up with the directory ${directory}`, {
      code: 'NotSupported',
      hint: 'start it first: gateway relay up --probe-only; or name its directory: --state DIR',
    });
  }
  const { address, fingerprint } = Told.parse(JSON.parse(text));
  const secret = await new Members(directory).invite(nowMs + INVITE_MS, nowMs);
  return renderInvite({ address, fingerprint, secret });
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
