import { join } from 'node:path';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Enrolled } from '../../src/core/control.ts';
import type { JournalEvent } from '../../src/core/events.ts';
import type { Status } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { TorVisitor } from '../../src/lab/actors/visitor.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { encodeBase32, renderClientKeyFile } from '../../src/wire/onion.ts';

/** An onion that asks for a key, and people elsewhere with Tor clients of their own: with, without, and without any more. */
const TOPOLOGY = parseTopology(
  {
    description: 'a home, visitors, a private Tor network',
    nodes: {
      core: { kind: 'router' },
      tornet: { defaultRoute: '11.9.0.1', services: [{ type: 'tor' }] },
      home: { defaultRoute: '11.2.0.1' },
      visitor: { defaultRoute: '11.5.0.1' },
    },
    networks: {
      relays: {
        core: '11.9.0.1/24',
        tornet: ['11.9.0.10/24', '11.9.0.11/24', '11.9.0.12/24', '11.9.0.13/24', '11.9.0.14/24'],
      },
      uplink: { core: '11.2.0.1/24', home: '11.2.0.2/24' },
      access: { core: '11.5.0.1/24', visitor: '11.5.0.2/24' },
    },
  },
  'client-authorization',
);
const CONFIG = `wireguard: { endpoint: 11.2.0.2:51820 }
services:
  shop: { port: 80, kind: http, expose: { tor: { authorization: required } } }
  wiki: { port: 81, kind: http, expose: { wireguard: {} } }
`;

let lab: Lab;
let gateway: LabGateway;
const people = new Map<string, TorVisitor>();
const signal = AbortSignal.timeout(560_000);
let shop = '';

const keysOf = (name: string): string => join(lab.node('visitor').directory, `keys-${name}`);
const wayOf = (status: Status) => status.services[0]?.ways[0];
const peers = async (): Promise<string> => {
  const argv = ['nsenter', '--net=/run/netns/gw-hub', 'wg', 'show', 'gwwg0', 'peers'] as const;
  return (await gateway.node.run([...argv], { signal })).stdout.trim();
};
const add = (name: string, ...more: string[]): Promise<Enrolled> =>
  gateway.json(signal, 'device', 'add', name, '--service', 'shop', '--onion-dir', keysOf(name), ...more);

/** Those who make their key themselves hand over the public one, and nothing secret of theirs is handed out. */
const ownKeys = new Map<string, string>();
async function makeOwnKey(name: string): Promise<void> {
  const secret = nodeCrypto.curve25519Secret();
  ownKeys.set(name, encodeBase32(nodeCrypto.curve25519Public(secret)).toUpperCase());
  const line = renderClientKeyFile(new URL(shop).host, encodeBase32(secret).toUpperCase());
  await mkdir(keysOf(name), { recursive: true, mode: 0o700 });
  await writeFile(join(keysOf(name), 'own.auth_private'), line);
}
const brought = (name: string): string => ownKeys.get(name) ?? '';

/** Their tor reads what `device add` wrote, as it wrote it. */
async function client(name: string, index: number): Promise<void> {
  await mkdir(keysOf(name), { recursive: true, mode: 0o700 });
  const options = { folder: `tor-${name}`, socksPort: 9050 + index, clientKeys: keysOf(name) };
  people.set(name, await TorVisitor.start(lab, 'visitor', options));
}

const clientOf = (name: string): TorVisitor => {
  const visitor = people.get(name);
  if (visitor === undefined) throw new Error(`nobody is called ${name}`);
  return visitor;
};
/** One visit; `who` names the circuit, so the same one is used again while it lives. */
const visit = async (name: string, who: string, seconds = 10): Promise<string> => {
  const visitor = clientOf(name);
  const argv = visitor.curl(`${shop}/`, who, '--max-time', String(seconds));
  return (await visitor.node.run(argv, { signal, timeoutMs: 70_000 })).stdout;
};
const isIn = (name: string, who: string, seconds?: number): Promise<boolean> =>
  visit(name, who, seconds).then(
    (page) => page.includes('The corner shop'),
    () => false,
  );
/**
 * Milliseconds until a visit succeeds; each try may take a while. On a busy machine all three introduction points may be too
 * slow for a visitor's tor, which then tries none of them for two minutes (HS_CACHE_CLIENT_INTRO_STATE_MAX_AGE).
 */
const timeUntilIn = async (name: string, who: string, limitMs = 150_000): Promise<number> => {
  const begun = Date.now();
  for (let attempt = 0; ; attempt += 1) {
    if (await isIn(name, `${who}${attempt}`)) return Date.now() - begun;
    if (Date.now() - begun > limitMs) throw new Error(`${name} did not get in within ${limitMs} ms`);
  }
};

/** Milliseconds until the last visit that succeeded was over. */
const timeUntilOut = async (name: string, who: string): Promise<number> => {
  const begun = Date.now();
  for (let outMs = 0; ; outMs = Date.now() - begun) {
    if (!(await isIn(name, who, 15)) || outMs > 20_000) return outMs;
  }
};

const OWN_KEY = 'lib/keys/onion-visitor/gateway.key';
const filesWith = async (secret: string): Promise<string[]> => {
  const argv = ['grep', '-rlF', '-D', 'skip', '--', secret, gateway.root] as const;
  const { stdout } = await gateway.node.run([...argv], { signal, accept: [0, 1, 2] });
  return stdout.split('\n').filter((path) => path !== '');
};

beforeAll(async () => {
  lab = await startLab(TOPOLOGY, { signal });
  gateway = await LabGateway.prepare(lab, 'home', CONFIG);
  await gateway.command(signal, 'up');
  await gateway.runShop('shop', 80);
  shop = wayOf(await gateway.status(signal))?.address ?? '';
  const alice = await add('alice');
  await add('bob');
  expect(alice.handouts.map(({ kind }) => kind)).toEqual([
    'link',
    'onion-key',
    'orbot-entry',
    'onion-key-file',
  ]);
  await Promise.all(['carol', 'dave'].map((name) => makeOwnKey(name)));
  const names = ['alice', 'bob', 'stranger', 'carol', 'dave'];
  await Promise.all(names.map((name, index) => client(name, index)));
  await Promise.all([...people.values()].map((visitor) => visitor.bootstrapped(signal)));
}, 90_000);
afterAll(() => lab?.stop());

it('is proved by the gateway itself, which has a key of its own and is no device', async () => {
  const status = await gateway.until('the proof', (now) => wayOf(now)?.reachable === 'yes', signal);
  expect(wayOf(status)).toMatchObject({ vantage: 'tor', address: shop });
  expect(wayOf(status)?.addresses[0]?.clientNeeds).toContain('the key of a device that was added');
  expect(status.devices.map(({ name }) => name)).toEqual(['alice', 'bob']);
}, 60_000);

it('lets in who has the key that was handed out, and nobody else', async () => {
  await Promise.all([timeUntilIn('alice', 'a'), timeUntilIn('bob', 'b')]);
  expect(await isIn('stranger', 's', 20)).toBe(false);
}, 200_000);

it('keeps private keys nowhere but in the file that was handed out', async () => {
  const [file = ''] = await readdir(keysOf('alice'));
  expect(file).toBe('alice-shop.auth_private');
  const path = join(keysOf('alice'), file);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const [address, , , key = ''] = (await readFile(path, 'utf8')).trim().split(':');
  expect(`http://${address}.onion`).toBe(shop);
  expect(key).toMatch(/^[A-Z2-7]{52}$/);
  expect(await filesWith(key)).toEqual([]);
  const own = /secret (\S+)/.exec(await readFile(join(gateway.root, OWN_KEY), 'utf8'))?.[1] ?? '';
  expect(await filesWith(own)).toEqual([join(gateway.root, OWN_KEY)]);
});

it('revokes one who is connected and holds the descriptor; the other is back within seconds', async () => {
  // Streams of one visit after another go over the circuit that is open.
  expect(await isIn('alice', 'kept')).toBe(true);
  expect(await isIn('bob', 'kept')).toBe(true);
  const revokedAt = Date.now();
  await gateway.command(signal, 'device', 'revoke', 'alice');
  const [bobMs, ...alices] = await Promise.all([
    timeUntilIn('bob', 'after'),
    ...[1, 2, 3].map(() => isIn('alice', 'kept', 20)),
    isIn('alice', 'fresh', 20),
  ]);
  process.stdout.write(`bob was back after ${bobMs} ms\n`);
  expect(alices).toEqual([false, false, false, false]);
  expect(bobMs).toBeLessThan(20_000);
  expect(wayOf(await gateway.status(signal))?.address).toBe(shop);
  // Our own visitor finds the new introduction points too, and never calls the way closed meanwhile.
  const events = await gateway.json<JournalEvent[]>(signal, 'events');
  const judged = events.filter(
    ({ at, type, data }) =>
      Date.parse(at) > revokedAt && type === 'condition.changed' && data['status'] === 'no',
  );
  expect(judged.map(({ message }) => message)).toEqual([]);
}, 200_000);

it('revokes gently: nobody is disturbed, the one may still get in, and status says so', async () => {
  expect(await isIn('carol', 'before', 15)).toBe(false);
  const { handouts } = await add('carol', '--onion-key', brought('carol'));
  expect(handouts.map(({ kind }) => kind)).toEqual(['link']);
  await timeUntilIn('carol', 'c');
  expect(await isIn('bob', 'calm')).toBe(true);
  await gateway.command(signal, 'device', 'revoke', 'carol', '--gently');
  expect(await isIn('bob', 'calm', 5)).toBe(true);
  expect(await isIn('carol', 'still')).toBe(true);
  const status = await gateway.status(signal);
  expect(status.devices.map(({ name }) => name)).toEqual(['bob']);
  expect(status.notices.join()).toMatch(/carol was revoked gently: .* onion service of shop .* until 20/);
}, 200_000);

/** Adds dave for a while in which he gets in; on a busy machine that needs a longer while than on an idle one. */
async function addDaveForAWhile(): Promise<Enrolled> {
  for (let seconds = 6; ; seconds *= 2) {
    const more = ['--service', 'wiki', '--onion-key', brought('dave')];
    const enrolled = await add('dave', '--expires', `${seconds}s`, ...more);
    const endsAt = Date.parse(enrolled.device.expiresAt ?? '');
    expect(await peers()).not.toBe('');
    while (Date.now() < endsAt) if (await isIn('dave', 'd', 4)) return enrolled;
    await gateway.until('the end of dave', ({ devices }) => devices.length === 1, signal);
  }
}

it('ends by itself on time, and with it what was revoked gently before', async () => {
  const { handouts } = await addDaveForAWhile();
  expect(handouts.map(({ kind }) => kind).slice(0, 2)).toEqual(['wireguard-config', 'link']);
  await gateway.until('the end of dave', ({ devices }) => devices.length === 1, signal);
  const outMs = await timeUntilOut('dave', 'd');
  process.stdout.write(`dave was out ${outMs} ms after the end\n`);
  expect(outMs).toBeLessThan(5000);
  expect(await peers()).toBe('');
  expect(await isIn('carol', 'still', 15)).toBe(false);
  await timeUntilIn('bob', 'last');
  const status = await gateway.status(signal);
  expect(status.notices.join()).not.toContain('carol');
  expect(wayOf(status)?.address).toBe(shop);
}, 200_000);
