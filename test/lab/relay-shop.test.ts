import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RelayStatus } from '../../src/core/status.ts';
import { DOMAIN, RELAY, RelayShopLab, VISITOR } from '../support/relay-shop-lab.ts';

/** A merchant behind three NATs: two commands and one DNS record to a page that a visitor elsewhere trusts. */
const signal = AbortSignal.timeout(170_000);
let scene: RelayShopLab;

beforeAll(async () => {
  scene = await RelayShopLab.start(signal);
}, 60_000);
afterAll(() => scene?.lab.stop());

it('says that a relay is needed first, then which record to set', async () => {
  const early = await scene.owner.type('expose', 'shop', '--via', 'relay', '--domain', DOMAIN, '--no-wait');
  expect(early.stdout + early.stderr).toContain('no relay was joined that carries visitors of shop');
  await scene.demand('unexpose', 'shop', '--via', 'relay');
  const joined = await scene.owner.json<RelayStatus>('relay', 'join', await scene.invite(), '--name', 'vps');
  expect(joined).toMatchObject({ name: 'vps', state: 'up', tunnel: { state: 'unused' } });
  const { stdout } = await scene.owner.type(
    'expose',
    'shop',
    '--via',
    'relay',
    '--domain',
    DOMAIN,
    '--no-wait',
  );
  expect(stdout).toContain(
    `set this DNS record at whoever keeps the domain: name ${DOMAIN}, type A, value ${RELAY}`,
  );
  await scene.setRecord(RELAY);
}, 40_000);

it('is a page that a visitor elsewhere trusts, proved through the relay, and sees who comes', async () => {
  const { exitCode, stdout, stderr } = await scene.owner.type(
    'expose',
    'shop',
    '--via',
    'relay',
    '--domain',
    DOMAIN,
  );
  expect([exitCode, stdout, stderr]).toEqual([0, expect.anything(), expect.anything()]);
  expect(stdout).toContain(
    `https://${DOMAIN} is open: a TLS handshake with our certificate through ${RELAY}:443`,
  );
  expect(await scene.open()).toContain(`x-forwarded-for: ${VISITOR}`);
  expect(await scene.way('shop')).toMatchObject({ reachable: 'yes', vantage: 'relay', phase: 'up' });
  // Proved, so browsers are told to come by https alone, for a short time at first.
  await expect
    .poll(() => scene.open('/', '--head'), { timeout: 10_000 })
    .toMatch(/^strict-transport-security: max-age=300\r$/im);
  const [relay] = await scene.owner.json<RelayStatus[]>('relay', 'list');
  expect(relay?.tunnel).toMatchObject({ state: 'up', endpoint: `${RELAY}:51820`, names: 1, ports: 0 });
}, 90_000);

it('leads a bare port to its service, which sees who comes; no other port', async () => {
  expect(await scene.knock(9735)).toContain('ECONNREFUSED');
  const { exitCode } = await scene.owner.type('expose', 'node', '--via', 'relay', '--no-wait');
  expect(exitCode).toBe(0);
  expect(await scene.knock(9735)).toBe(`you are ${VISITOR}`);
  const way = (): Promise<unknown> => scene.way('node');
  await expect.poll(way, { timeout: 20_000, interval: 300 }).toMatchObject({
    address: `tcp://${RELAY}:9735`,
    reachable: 'yes',
    vantage: 'relay',
  });
}, 30_000);

it('replaces the key of the tunnel with one command, and cuts nobody', async () => {
  const keyOf = async (): Promise<string> =>
    (await scene.on('vps', 'wg', 'show', 'gwr0', 'allowed-ips')).split('\t')[0] ?? '';
  const before = await keyOf();
  const socket = scene.socket(5);
  const rotated = await scene.owner.type('relay', 'rotate', 'vps');
  expect(rotated).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('has another key') });
  expect(await scene.open()).toContain(`x-forwarded-for: ${VISITOR}`);
  expect(await keyOf()).not.toBe(before);
  expect(Number(/echoes (\d+)/.exec(await socket)?.[1])).toBeGreaterThan(20);
}, 30_000);

it('drops nothing while the daemons at both ends are killed, and lets new visitors in', async () => {
  const socket = scene.socket(5);
  const file = join(scene.lab.directory, 'upload');
  await writeFile(file, Buffer.alloc(2_000_000));
  const upload = scene.open('/upload', '--limit-rate', '400k', '-T', file);
  await sleep(1000);
  // A child that has not become another program yet has its parent's words.
  expect(await scene.kill('home', 'main.js (daemon|helper)')).toBeGreaterThanOrEqual(2);
  expect(await scene.kill('vps', 'relay up')).toBeGreaterThan(0);
  expect(await scene.open()).toContain(`x-forwarded-for: ${VISITOR}`);
  expect(await scene.knock(9735)).toBe(`you are ${VISITOR}`);
  const [echoed, uploaded] = await Promise.all([socket, upload]);
  expect(Number(/echoes (\d+)/.exec(echoed)?.[1])).toBeGreaterThan(25);
  expect(uploaded).toMatch(/^shop \+ 2000000 bytes/);
  await scene.startRelay();
  const { changes } = await scene.owner.json<{ changes: string[] }>('up');
  expect(changes).toEqual([]);
  // Nobody there starts it again, as systemd would.
  await expect
    .poll(async () => (await scene.owner.type('relay', 'list')).exitCode, { timeout: 15_000 })
    .toBe(0);
}, 60_000);

it('comes back by itself when the relay starts again and has no session with home', async () => {
  const peer = (await scene.on('vps', 'wg', 'show', 'gwr0', 'peers')).trim();
  expect(await scene.kill('vps', 'relay up')).toBeGreaterThan(0);
  await scene.on('vps', 'wg', 'set', 'gwr0', 'peer', peer, 'remove');
  await scene.startRelay();
  // Home keeps its session for two minutes otherwise.
  await expect.poll(() => scene.open(), { timeout: 60_000, interval: 500 }).toContain('x-forwarded-for');
}, 70_000);

it('takes away what is closed, and leaves nothing behind with the relay', async () => {
  await scene.demand('unexpose', 'node', '--via', 'relay', '--now');
  expect(await scene.knock(9735)).not.toContain('you are');
  expect(await scene.open()).toContain('x-forwarded-for');
  await scene.demand('unexpose', 'shop', '--via', 'relay', '--now');
  await scene.demand('relay', 'remove', 'vps');
  expect(await scene.owner.home('ip', 'netns', 'exec', 'gw-hub', 'ip', '-br', 'link')).not.toContain('gwr-');
  expect(await scene.owner.home('find', scene.owner.file('lib', 'keys'), '-name', '*vps*')).toBe('');
  expect(await scene.open()).not.toContain('x-forwarded-for');
}, 40_000);
