import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../core/errors.ts';
import type { SiteBundle } from '../core/site-bundle.ts';
import { exchange } from '../helper/edge-socket.ts';
import { fileError, readFileIfExists, writeFileAtomic } from '../system/files.ts';
import { type Argv, run } from '../system/run.ts';
import { renderClientKeyFile } from '../wire/onion.ts';
import {
  renderSiteHaproxy,
  renderSiteTorrc,
  type SitePlace,
  statsSocket,
  waysInUse,
} from '../wire/site-haproxy.ts';
import { choosePorts } from './site-ports.ts';

/** HAProxy and a tor of its own on a machine of the owner's, in the foreground, without root. */

export interface SiteJoin {
  readonly bundle: SiteBundle;
  /** Ports, and what tor remembers; ours alone. */
  readonly directory: string;
  /** More lines for its torrc. */
  readonly torrc: string;
  /** Certificates of authorities (PEM) that are trusted instead of those that the machine trusts. */
  readonly authorities: string | undefined;
  readonly note: (text: string) => void;
  /** Another way takes the next visitor, or the first one does; `null`: none works. */
  readonly using: (service: string, port: number, way: string | null) => void;
  readonly signal: AbortSignal;
}

const LOOK_MS = 500;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** What a timer can wait at most; a program that ran for so long is simply started again. */
const FOR_EVER_MS = 2 ** 31 - 1;

/** Until `signal` aborts. Rejects when it cannot begin; a program that ends later is started again. */
export async function joinSite(site: SiteJoin): Promise<void> {
  const { bundle, directory, signal } = site;
  await makePrivate(directory);
  const ports = await choosePorts(join(directory, 'ports.json'), bundle, signal);
  const sockets = await mkdtemp(join(tmpdir(), 'gateway-site-'));
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  try {
    const authorities = await prepareAuthorities(site, sockets);
    const place = {
      sockets,
      ports: ports.services,
      socksPort: ports.socks,
      authorities,
      hasResolver: await hasResolver(),
    };
    const haproxy = await prepareHaproxy(site, place);
    const tor = await prepareTor(site, place);
    const tasks = [
      keep('HAProxy', haproxy, site, until),
      ...(tor === undefined ? [] : [keep('tor', tor, site, until)]),
      watch(site, place, until),
    ];
    await Promise.all(tasks).finally(() => ended.abort());
  } finally {
    await rm(sockets, { recursive: true, force: true });
  }
}

async function hasResolver(): Promise<boolean> {
  const text = (await readFileIfExists('/etc/resolv.conf'))?.toString() ?? '';
  return /^nameserver\s+\S/m.test(text);
}

/** Under a path of ours, which needs no quotes. */
async function prepareAuthorities({ authorities }: SiteJoin, directory: string): Promise<string> {
  if (authorities === undefined) return '@system-ca';
  const file = join(directory, 'authorities.pem');
  await writeFileAtomic(file, authorities, { mode: 0o600 });
  return file;
}

async function prepareHaproxy({ bundle, directory, signal }: SiteJoin, place: SitePlace): Promise<Argv> {
  const file = join(directory, 'haproxy.cfg');
  await writeFileAtomic(file, renderSiteHaproxy(bundle, place), { mode: 0o600 });
  await run(['haproxy', '-c', '-f', file], { signal });
  return ['haproxy', '-db', '-q', '-f', file];
}

/** Of its own also where the machine has one: that one would not read the keys, which are not root's. */
async function prepareTor(
  { bundle, directory, torrc, signal }: SiteJoin,
  { socksPort }: SitePlace,
): Promise<Argv | undefined> {
  const onions = bundle.services.flatMap(({ ways }) => ways.filter((way) => way.kind === 'onion'));
  if (onions.length === 0) return undefined;
  const base = join(directory, 'tor');
  // What is no more in the bundle must not be found there.
  await rm(join(base, 'keys'), { recursive: true, force: true });
  for (const folder of [base, join(base, 'data'), join(base, 'keys')]) await makePrivate(folder);
  for (const { host, key } of onions) {
    if (key === undefined) continue;
    const file = join(base, 'keys', `${host}.auth_private`);
    await writeFileAtomic(file, renderClientKeyFile(host, key), { mode: 0o600 });
  }
  const [file, defaults] = [join(base, 'torrc'), join(base, 'torrc-defaults')];
  await writeFileAtomic(file, renderSiteTorrc(bundle, base, socksPort, torrc), { mode: 0o600 });
  await writeFileAtomic(defaults, '', { mode: 0o600 });
  const argv: Argv = ['tor', '-f', file, '--defaults-torrc', defaults];
  await run([...argv, '--verify-config', '--hush'], { signal });
  return [...argv, '--hush'];
}

/** Ends with us, also where we are killed. */
async function keep(name: string, argv: Argv, { note }: SiteJoin, signal: AbortSignal): Promise<void> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const begunAt = performance.now();
    const why = await whyEnded(['setpriv', '--pdeathsig=KILL', ...argv], signal);
    if (signal.aborted) return;
    if (performance.now() - begunAt > LONGEST_PAUSE_MS) pauseMs = FIRST_PAUSE_MS;
    note(`! ${name} ended and is started again: ${why}`);
    await pause(pauseMs, signal);
  }
}

async function whyEnded(argv: Argv, signal: AbortSignal): Promise<string> {
  try {
    await run(argv, { signal, timeoutMs: FOR_EVER_MS });
    return 'it said that it was done';
  } catch (error) {
    if (error instanceof GatewayError && error.code !== 'CommandMissing') return error.message;
    throw error;
  }
}

async function watch({ bundle, using }: SiteJoin, place: SitePlace, signal: AbortSignal): Promise<void> {
  const told = new Map<string, string | null>();
  while (!signal.aborted) {
    for (const [service, way] of waysInUse(bundle, await statOf(place, signal))) {
      if (told.get(service) === way) continue;
      told.set(service, way);
      using(service, place.ports[service] ?? 0, way);
    }
    await pause(LOOK_MS, signal);
  }
}

/** Empty while HAProxy does not answer, which `keep` says by itself. */
async function statOf(place: SitePlace, signal: AbortSignal): Promise<string> {
  try {
    return await exchange(statsSocket(place), 'show stat -1 4 -1\n', signal, 5000);
  } catch (error) {
    if (error instanceof GatewayError) return '';
    throw error;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function makePrivate(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(`the directory ${path} cannot be made`, error);
  }
}
