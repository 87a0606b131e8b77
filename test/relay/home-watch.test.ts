import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NotifySettings } from '../../src/core/notify.ts';
import type { Desired } from '../../src/core/desired.ts';
import { RelayAbout, RelayJoined } from '../../src/core/relay.ts';
import { Secret } from '../../src/core/secret.ts';
import { RelayVantages } from '../../src/daemon/vantages.ts';
import { WatchAsker } from '../../src/daemon/watch-asker.ts';
import type { WatchTerms } from '../../src/relay/home-watch.ts';
import { makeInvite } from '../../src/relay/invites.ts';
import { runRelay } from '../../src/relay/main.ts';
import { askRelay } from '../../src/system/relay-client.ts';
import { parseInvite } from '../../src/wire/invite.ts';

/** A relay on loopback that is impatient, a home that is killed, and a receiver that is told. */
const PORT = 20_000 + ((process.pid + 7777) % 20_000);
const signal = AbortSignal.timeout(60_000);
const SHORT = { silentMs: 700, tickMs: 50, apartMs: 3_600_000, mayReach: () => true };
const logged: string[] = [];
const told: { title: string; lines: { state: string; text: string }[] }[] = [];
const holders = new Set<ChildProcess>();
let stop: AbortController;
let directory: string;
let running: Promise<void>;
let receiver: Server;

beforeEach(async () => {
  [logged.length, told.length] = [0, 0];
  directory = await mkdtemp(join(tmpdir(), 'gw-watch-'));
  receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      told.push(JSON.parse(body) as (typeof told)[number]);
      response.end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  for (const holder of holders) holder.kill('SIGKILL');
  holders.clear();
  await end();
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  await rm(directory, { recursive: true });
});

async function start(watch: Partial<WatchTerms>): Promise<void> {
  stop = new AbortController();
  const options = {
    directory,
    addresses: ['127.0.0.1'],
    port: PORT,
    version: '1',
    signal: stop.signal,
    watch,
  };
  const log = (...line: unknown[]): void => void logged.push(JSON.stringify(line));
  await new Promise((resolve, reject) => {
    running = runRelay({ ...options, log }, resolve);
    running.catch(reject);
  });
}

async function end(): Promise<void> {
  stop.abort();
  await running;
}

async function joinAsHome() {
  const invite = parseInvite(await makeInvite(directory, Date.now()));
  if (invite === undefined) throw new Error('no invite');
  const secret = randomBytes(32);
  const credential = createHash('sha256').update(secret).digest('base64url');
  const request = { ask: 'join', invite: invite.secret, credential } as const;
  const { home } = await askRelay(invite, request, RelayJoined, signal);
  return { name: 'vps', ...invite, home, secret };
}
type Home = Awaited<ReturnType<typeof joinAsHome>>;

/** A process of its own, which holds the connection as a home does, until it is killed. */
async function live({ home, secret, address, fingerprint }: Home): Promise<ChildProcess> {
  const question = { ask: 'hold', home, secret: secret.toString('base64url') };
  const code = `
    const { holdRelay } = await import(${JSON.stringify(new URL('../../src/system/relay-client.ts', import.meta.url).href)});
    const { RelayAbout } = await import(${JSON.stringify(new URL('../../src/core/relay.ts', import.meta.url).href)});
    await holdRelay(${JSON.stringify({ address, fingerprint })}, ${JSON.stringify(question)}, RelayAbout,
      () => console.log('held'), AbortSignal.timeout(60_000));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  holders.add(child);
  await once(child.stdout, 'data', { signal });
  return child;
}

function asker(home: Home, more: object, isDown = (): boolean => false) {
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/topic`;
  const notify = NotifySettings.parse({ to: [{ by: 'webhook', url }], whenHomeDies: true, ...more });
  const relays = [home];
  const vantages = new RelayVantages({
    relays: () => relays,
    keys: { read: () => Promise.resolve(new Secret(Uint8Array.from(home.secret))) } as never,
    record: () => undefined,
    saw: () => undefined,
  });
  const desired = { relays, notify, services: [] } as unknown as Desired;
  const watch = new WatchAsker({ desired: () => desired, vantages, isDown, now: Date.now });
  return { watch, ask: () => vantages.status(home, signal).then(() => watch.settle(signal)) };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(20, undefined, { signal });
}

it('tells that a home that was killed is silent, and that it is back, once each', async () => {
  await start(SHORT);
  const home = await joinAsHome();
  // Held before it is watched: a process takes longer to start than this relay is patient.
  const first = await live(home);
  await asker(home, {}).ask();
  await sleep(2 * SHORT.silentMs);
  expect(told).toEqual([]);
  first.kill('SIGKILL');
  await until(() => told.length > 0);
  expect(told[0]?.lines).toMatchObject([
    { state: 'begins', text: expect.stringContaining(home.home) as string },
  ]);
  // What the owner was told outlives the relay.
  await end();
  await start(SHORT);
  await sleep(2 * SHORT.silentMs);
  expect(told).toHaveLength(1);
  const second = await live(home);
  await until(() => told.length > 1);
  expect(told[1]?.lines).toMatchObject([{ state: 'ends' }]);
  // Within the hour nobody is told again, and asking anew changes nothing.
  second.kill('SIGKILL');
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/other`;
  await asker(home, { to: [{ by: 'webhook', url }] }).ask();
  await sleep(3 * SHORT.silentMs);
  expect(told).toHaveLength(2);
});

it('writes to no place but public addresses of others, whatever a home says', async () => {
  const { silentMs, tickMs, apartMs } = SHORT;
  await start({ silentMs, tickMs, apartMs });
  const home = await joinAsHome();
  const port = (receiver.address() as AddressInfo).port;
  const hosts = [
    '127.0.0.1',
    'localhost',
    '10.0.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '[::1]',
    '[fd00::1]',
  ];
  const to = hosts.map((host) => ({ by: 'webhook', url: `http://${host}:${port}/` }));
  await asker(home, { to }).ask();
  const refused = (): string[] => logged.filter((line) => line.includes('was not told of a home'));
  await until(() => refused().length >= hosts.length);
  expect(refused().every((line) => line.includes('no public address'))).toBe(true);
  expect(told).toEqual([]);
});

it('is told by home whom to tell, until it is switched off, or the owner says down', async () => {
  await start(SHORT);
  const home = await joinAsHome();
  const auth = { home: home.home, secret: home.secret.toString('base64url') };
  const watching = async (): Promise<unknown> =>
    (await askRelay(home, { ask: 'status', ...auth }, RelayAbout, signal)).watching;
  await asker(home, { whenHomeDies: false }).ask();
  expect(await watching()).toBe('');
  let isDown = false;
  const { ask, watch } = asker(home, {}, () => isDown);
  await ask();
  expect(await watching()).toMatch(/^\S{43}$/);
  isDown = true;
  await watch.settle(signal);
  expect(await watching()).toBe('');
  await sleep(2 * SHORT.silentMs);
  expect(told).toEqual([]);
});

it('says whom relays do not tell', async () => {
  await start(SHORT);
  const home = await joinAsHome();
  const to = [
    { by: 'ntfy', url: 'https://ntfy.example.net/topic', token: '/etc/token' },
    { by: 'webhook', url: 'http://abcdef.onion/x' },
    { by: 'command', path: '/bin/true' },
  ];
  const { ask, watch } = asker(home, { to });
  await ask();
  expect(watch.remarks().map((line) => /tell (\S+) when/.exec(line)?.[1])).toEqual([
    'ntfy.example.net',
    'abcdef.onion',
    'command',
  ]);
});
