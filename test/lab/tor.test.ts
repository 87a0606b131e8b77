import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PlanReport, UpReport } from '../../src/core/control.ts';
import type { Status } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { TorVisitor } from '../../src/lab/actors/visitor.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';

/** Onion services in a private Tor network, seen by a visitor with a Tor client of their own. */
const TOPOLOGY = parseTopology(
  {
    description: 'a home, a visitor, a private Tor network',
    nodes: {
      core: { kind: 'router' },
      tornet: { defaultRoute: '11.9.0.1', services: [{ type: 'tor' }] },
      home: { defaultRoute: '11.2.0.1' },
      visitor: { defaultRoute: '11.5.0.1' },
      nas: { services: [{ type: 'page', port: 80, title: 'a box in the LAN' }] },
    },
    networks: {
      relays: {
        core: '11.9.0.1/24',
        tornet: ['11.9.0.10/24', '11.9.0.11/24', '11.9.0.12/24', '11.9.0.13/24', '11.9.0.14/24'],
      },
      uplink: { core: '11.2.0.1/24', home: '11.2.0.2/24' },
      lan: { home: '192.168.60.1/24', nas: '192.168.60.2/24' },
      access: { core: '11.5.0.1/24', visitor: '11.5.0.2/24' },
    },
  },
  'tor',
);
const CONFIG = `services:
  shop: { port: 80, kind: http, expose: { tor: {} } }
  blog: { port: 8080, kind: http, expose: { tor: {} } }
`;
const NAS = "  nas: { target: '192.168.60.2:80', kind: http, expose: { tor: {} } }\n";

let lab: Lab;
let gateway: LabGateway;
let visitor: TorVisitor;
const signal = AbortSignal.timeout(280_000);

beforeAll(async () => {
  lab = await startLab(TOPOLOGY, { signal });
  visitor = await TorVisitor.start(lab, 'visitor');
  gateway = await LabGateway.prepare(lab, 'home', CONFIG);
  await home('chown', '-R', 'gateway:gateway', join(gateway.root, 'etc'));
  await gateway.command(signal, 'up');
  await gateway.runShop('shop', 80);
  await gateway.runShop('blog', 8080);
  await visitor.bootstrapped(signal);
}, 90_000);
afterAll(() => lab?.stop());

const wayOf = (status: Status, service: string) =>
  status.services.find(({ name }) => name === service)?.ways.find(({ provider }) => provider === 'tor');
const isUp = (service: string) => (status: Status) => wayOf(status, service)?.reachable === 'yes';
/** Proved by a visit after that moment; what was proved before stays shown until the next visit. */
const isUpSince = (service: string, sinceMs: number) => (status: Status) =>
  Date.parse(wayOf(status, service)?.provedAt ?? '') > sinceMs;
const addressOf = async (service: string): Promise<string> =>
  wayOf(await gateway.status(signal), service)?.address ?? '';
const condition = (status: Status, service: string, type: string) =>
  wayOf(status, service)?.conditions.find((each) => each.type === type);
const home = async (...argv: readonly [string, ...string[]]): Promise<string> =>
  (await gateway.node.run(argv, { signal })).stdout.trim();
const torPid = async (): Promise<string> =>
  (await readFile(join(gateway.root, 'run/tor/pid'), 'utf8')).trim();
const keyFile = (service: string): string => join(gateway.root, 'lib/keys/tor', `${service}.key`);
let visits = 0;
const visit = async (url: string): Promise<string> =>
  (await visitor.node.run(visitor.curl(url, `visit${(visits += 1)}`, '--max-time', '15'), { signal })).stdout;
/** A client that still holds the descriptor of a tor that was killed may wait in vain; a visitor reloads. */
const open = (url: string): Promise<string> =>
  visit(url)
    .catch(() => visit(url))
    .catch(() => visit(url));

it('publishes two services, proves both through the Tor network, and lets a visitor in', async () => {
  const status = await gateway.until(
    'both onions proved',
    (now) => isUp('shop')(now) && isUp('blog')(now),
    signal,
  );
  const way = wayOf(status, 'shop');
  expect(way).toMatchObject({
    vantage: 'tor',
    phase: 'up',
    address: expect.stringMatching(/^http:\/\/[a-z2-7]{56}\.onion$/),
  });
  expect(condition(status, 'shop', 'Published')).toMatchObject({
    status: 'yes',
    reason: 'DescriptorUploaded',
  });
  expect(await open(way?.address ?? '')).toContain('The corner shop');
  expect(await open((await addressOf('blog')) ?? '')).toContain('The corner shop');
  expect((await gateway.json<PlanReport>(signal, 'plan')).changes).toEqual([]);
}, 90_000);

it('gives the same address again after it was taken away, and none meanwhile', async () => {
  const before = await addressOf('blog');
  await gateway.command(signal, 'unexpose', 'blog', '--via', 'tor');
  await expect(visit(before)).rejects.toThrow();
  await gateway.command(signal, 'expose', 'blog', '--via', 'tor');
  expect(await addressOf('blog')).toBe(before);
  await gateway.until('blog proved again', isUp('blog'), signal);
  expect(await open(before)).toContain('The corner shop');
}, 90_000);

it('says that the service does not accept connections, when it is the service', async () => {
  await writeFile(
    join(gateway.root, 'etc/gateway.yaml'),
    `${CONFIG}  idle: { port: 9, kind: tcp, expose: { tor: {} } }\n`,
  );
  await gateway.command(signal, 'up');
  const status = await gateway.until('idle visited', (now) => wayOf(now, 'idle')?.reachable === 'no', signal);
  expect(condition(status, 'idle', 'Reachable')?.message).toMatch(/idle does not accept connections at 10\./);
  expect(isUp('shop')(status)).toBe(true);
  await writeFile(join(gateway.root, 'etc/gateway.yaml'), CONFIG);
  await gateway.command(signal, 'up');
}, 90_000);

it('dials a machine of the LAN as itself, and services in the pool with the address the hub knows', async () => {
  await writeFile(join(gateway.root, 'etc/gateway.yaml'), `${CONFIG}${NAS}`);
  const since = Date.now();
  await gateway.command(signal, 'up');
  const areUp = (now: Status): boolean => ['nas', 'shop'].every((service) => isUpSince(service, since)(now));
  await gateway.until('both proved', areUp, signal);
  expect(await open(await addressOf('nas'))).toContain('you are 192.168.60.1 at /');
  expect(await open(await addressOf('shop'))).toContain('The corner shop');
  await writeFile(join(gateway.root, 'etc/gateway.yaml'), CONFIG);
  await gateway.command(signal, 'up');
}, 90_000);

it('starts a killed tor again with the same addresses', async () => {
  const [before, pid] = [await addressOf('shop'), await torPid()];
  const killedAt = Date.now();
  await home('kill', '-KILL', pid);
  await gateway.until('the shop proved after that', isUpSince('shop', killedAt), signal);
  expect(await torPid()).not.toBe(pid);
  expect(await addressOf('shop')).toBe(before);
  expect(await open(before)).toContain('The corner shop');
}, 90_000);

it('keeps tor, and lets visitors in, when daemon and helper are killed', async () => {
  const [address, pid] = [await addressOf('shop'), await torPid()];
  const pids = await home('pgrep', '-f', 'main.js (daemon|helper)');
  await home('kill', '-KILL', ...pids.split('\n'));
  expect(await open(address)).toContain('The corner shop');
  const up = await gateway.json<UpReport>(signal, 'up');
  expect(up.changes).toEqual([]);
  expect(await torPid()).toBe(pid);
}, 90_000);

it('says KeyCorrupt for the one service whose key is damaged, never overwrites it, and keeps the others', async () => {
  await gateway.until('both up', (now) => isUp('shop')(now) && isUp('blog')(now), signal);
  const shop = await addressOf('shop');
  const whole = await readFile(keyFile('blog'));
  await truncate(keyFile('blog'), 60);
  await truncate(join(gateway.root, 'lib/tor/onions/blog/hs_ed25519_secret_key'), 40);
  const killedAt = Date.now();
  await home('kill', '-KILL', await torPid());
  const status = await gateway.until(
    'the damaged key noticed',
    (now) =>
      condition(now, 'blog', 'Programmed')?.reason === 'KeyCorrupt' && isUpSince('shop', killedAt)(now),
    signal,
  );
  expect(condition(status, 'blog', 'Programmed')?.message).toContain('blog.key');
  expect(condition(status, 'shop', 'Programmed')?.status).toBe('yes');
  expect((await readFile(keyFile('blog'))).length).toBe(60);
  expect(await open(shop)).toContain('The corner shop');
  await writeFile(keyFile('blog'), whole);
  const mendedAt = Date.now();
  await gateway.command(signal, 'up');
  const healed = await gateway.until('blog back', isUpSince('blog', mendedAt), signal);
  expect(await open(wayOf(healed, 'blog')?.address ?? '')).toContain('The corner shop');
}, 120_000);

it('never loads a torrc line that tor does not understand', async () => {
  const pid = await torPid();
  await mkdir(join(gateway.root, 'etc/torrc.d'), { recursive: true });
  const bad = join(gateway.root, 'etc/torrc.d/zz.conf');
  await writeFile(bad, 'NoSuchOption 1\n');
  const { stdout } = await gateway.node.run(gateway.argv('--json', 'up'), { signal, accept: [0, 1, 2, 3] });
  expect(stdout).toContain('NoSuchOption');
  expect(await open(await addressOf('shop'))).toContain('The corner shop');
  expect(await torPid()).toBe(pid);
  await writeFile(bad, '');
  await gateway.command(signal, 'up');
}, 90_000);
