import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PlanReport, UpReport } from '../../src/core/control.ts';
import type { Status } from '../../src/core/status.ts';
import { TorLab } from '../support/tor-lab.ts';

/** Onion services in a private Tor network, seen by a visitor with a Tor client of their own. */
const CONFIG = `services:
  shop: { port: 80, kind: http, expose: { tor: {} } }
  blog: { port: 8080, kind: http, expose: { tor: {} } }
`;
const NAS = "  nas: { target: '192.168.60.2:80', kind: http, expose: { tor: {} } }\n";

let tor: TorLab;
const signal = AbortSignal.timeout(280_000);

beforeAll(async () => {
  const shops = { shop: 80, blog: 8080 };
  tor = await TorLab.start({ name: 'tor', config: CONFIG, shops, hasLan: true, signal });
}, 90_000);
afterAll(() => tor?.lab.stop());

const condition = (status: Status, service: string, type: string) =>
  tor.way(status, service)?.conditions.find((each) => each.type === type);
const keyFile = (service: string): string => join(tor.gateway.root, 'lib/keys/tor', `${service}.key`);
it('publishes two services, proves both through the Tor network, and lets a visitor in', async () => {
  const status = await tor.gateway.until(
    'both onions proved',
    (now) => tor.isUp('shop')(now) && tor.isUp('blog')(now),
    signal,
  );
  const way = tor.way(status, 'shop');
  expect(way).toMatchObject({
    vantage: 'tor',
    phase: 'up',
    address: expect.stringMatching(/^http:\/\/[a-z2-7]{56}\.onion$/),
  });
  expect(condition(status, 'shop', 'Published')).toMatchObject({
    status: 'yes',
    reason: 'DescriptorUploaded',
  });
  expect(await tor.open(way?.address ?? '')).toContain('The corner shop');
  expect(await tor.open((await tor.addressOf('blog')) ?? '')).toContain('The corner shop');
  expect((await tor.gateway.json<PlanReport>(signal, 'plan')).changes).toEqual([]);
}, 90_000);

it('gives the same address again after it was taken away, and none meanwhile', async () => {
  const before = await tor.addressOf('blog');
  await tor.gateway.command(signal, 'unexpose', 'blog', '--via', 'tor');
  await expect(tor.visit(before)).rejects.toThrow();
  await tor.gateway.command(signal, 'expose', 'blog', '--via', 'tor');
  expect(await tor.addressOf('blog')).toBe(before);
  await tor.gateway.until('blog proved again', tor.isUp('blog'), signal);
  expect(await tor.open(before)).toContain('The corner shop');
}, 90_000);

it('says that the service does not accept connections, when it is the service', async () => {
  await writeFile(
    join(tor.gateway.root, 'etc/gateway.yaml'),
    `${CONFIG}  idle: { port: 9, kind: tcp, expose: { tor: {} } }\n`,
  );
  await tor.gateway.command(signal, 'up');
  const status = await tor.gateway.until(
    'idle visited',
    (now) => tor.way(now, 'idle')?.reachable === 'no',
    signal,
  );
  expect(condition(status, 'idle', 'Reachable')?.message).toMatch(/idle does not accept connections at 10\./);
  expect(tor.isUp('shop')(status)).toBe(true);
  await writeFile(join(tor.gateway.root, 'etc/gateway.yaml'), CONFIG);
  await tor.gateway.command(signal, 'up');
}, 90_000);

it('dials a machine of the LAN as itself, and services in the pool with the address the hub knows', async () => {
  await writeFile(join(tor.gateway.root, 'etc/gateway.yaml'), `${CONFIG}${NAS}`);
  const since = Date.now();
  await tor.gateway.command(signal, 'up');
  const areUp = (now: Status): boolean => ['nas', 'shop'].every((service) => tor.isUp(service, since)(now));
  await tor.gateway.until('both proved', areUp, signal);
  expect(await tor.open(await tor.addressOf('nas'))).toContain('you are 192.168.60.1 at /');
  expect(await tor.open(await tor.addressOf('shop'))).toContain('The corner shop');
  await writeFile(join(tor.gateway.root, 'etc/gateway.yaml'), CONFIG);
  await tor.gateway.command(signal, 'up');
}, 90_000);

it('starts a killed tor again with the same addresses', async () => {
  const [before, pid] = [await tor.addressOf('shop'), await tor.pidOf()];
  const killedAt = Date.now();
  await tor.home('kill', '-KILL', pid);
  await tor.gateway.until('the shop proved after that', tor.isUp('shop', killedAt), signal);
  expect(await tor.pidOf()).not.toBe(pid);
  expect(await tor.gateway.command(signal, 'events')).toMatch(/change\.healed .*tor is not running/);
  expect(await tor.addressOf('shop')).toBe(before);
  expect(await tor.open(before)).toContain('The corner shop');
}, 90_000);

it('keeps tor, and lets visitors in, when daemon and helper are killed', async () => {
  const [address, pid] = [await tor.addressOf('shop'), await tor.pidOf()];
  const pids = await tor.home('pgrep', '-f', 'main.js (daemon|helper)');
  await tor.home('kill', '-KILL', ...pids.split('\n'));
  expect(await tor.open(address)).toContain('The corner shop');
  const up = await tor.gateway.json<UpReport>(signal, 'up');
  expect(up.changes).toEqual([]);
  expect(await tor.pidOf()).toBe(pid);
}, 90_000);

it('says KeyCorrupt for the one service whose key is damaged, never overwrites it, and keeps the others', async () => {
  await tor.gateway.until('both up', (now) => tor.isUp('shop')(now) && tor.isUp('blog')(now), signal);
  const shop = await tor.addressOf('shop');
  const whole = await readFile(keyFile('blog'));
  await truncate(keyFile('blog'), 60);
  await truncate(join(tor.gateway.root, 'lib/tor/onions/blog/hs_ed25519_secret_key'), 40);
  const killedAt = Date.now();
  await tor.home('kill', '-KILL', await tor.pidOf());
  const status = await tor.gateway.until(
    'the damaged key noticed',
    (now) => condition(now, 'blog', 'Programmed')?.reason === 'KeyCorrupt' && tor.isUp('shop', killedAt)(now),
    signal,
  );
  expect(condition(status, 'blog', 'Programmed')?.message).toContain('blog.key');
  expect(condition(status, 'shop', 'Programmed')?.status).toBe('yes');
  expect((await readFile(keyFile('blog'))).length).toBe(60);
  expect(await tor.open(shop)).toContain('The corner shop');
  await writeFile(keyFile('blog'), whole);
  const mendedAt = Date.now();
  await tor.gateway.command(signal, 'up');
  const healed = await tor.gateway.until('blog back', tor.isUp('blog', mendedAt), signal);
  expect(await tor.open(tor.way(healed, 'blog')?.address ?? '')).toContain('The corner shop');
}, 120_000);

it('never loads a torrc line that tor does not understand', async () => {
  const pid = await tor.pidOf();
  await mkdir(join(tor.gateway.root, 'etc/torrc.d'), { recursive: true });
  const bad = join(tor.gateway.root, 'etc/torrc.d/zz.conf');
  await writeFile(bad, 'NoSuchOption 1\n');
  const { stdout } = await tor.gateway.node.run(tor.gateway.argv('--json', 'up'), {
    signal,
    accept: [0, 1, 2, 3],
  });
  expect(stdout).toContain('NoSuchOption');
  expect(await tor.open(await tor.addressOf('shop'))).toContain('The corner shop');
  expect(await tor.pidOf()).toBe(pid);
  await writeFile(bad, '');
  await tor.gateway.command(signal, 'up');
}, 90_000);
