import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Phone } from '../../src/lab/actors/phone.ts';
import type { Vantage } from '../../src/core/contract.ts';
import type { DeviceStatus, Way } from '../../src/core/status.ts';
import { wayOf } from '../support/owner.ts';
import { RELAY, RelayShopLab } from '../support/relay-shop-lab.ts';

/** A phone elsewhere, and a home behind three NATs that nothing leads into: the code says the relay's port. */
const signal = AbortSignal.timeout(150_000);
let scene: RelayShopLab;
let phone: Phone;

beforeAll(async () => {
  scene = await RelayShopLab.start(signal);
  phone = new Phone(scene.lab.node('visitor'));
}, 60_000);
afterAll(() => scene?.lab.stop());

async function byWireguard(service: string): Promise<Way | undefined> {
  return wayOf(await scene.owner.gateway.status(signal), service, 'wireguard');
}

async function proves(vantage: Vantage, how: string): Promise<void> {
  const look = async () => {
    const way = await byWireguard('shop');
    const message = way?.conditions.find(({ type }) => type === 'Reachable')?.message;
    return [way?.reachable, way?.vantage, message];
  };
  await expect.poll(look, { timeout: 40_000, interval: 300 }).toEqual(['yes', vantage, how]);
}

async function urlOf(service: string): Promise<URL> {
  return new URL((await byWireguard(service))?.address ?? 'none:');
}

it('is proved by the path through the relay, before any phone is there', async () => {
  await scene.demand('relay', 'join', await scene.invite(), '--name', 'vps');
  for (const service of ['shop', 'node']) {
    await scene.demand('expose', service, '--via', 'wireguard', '--no-wait');
  }
  await proves('relay', `a handshake through ${RELAY}:51821 of the relay vps and its tunnel`);
}, 60_000);

it('opens a page for a phone that scanned the code, which says how large its packets may be', async () => {
  const png = join(scene.lab.directory, 'phone.png');
  const grants = ['--service', 'shop', '--service', 'node'];
  await scene.demand('device', 'add', 'phone', ...grants, '--no-wait', '--png', png);
  const code = await phone.scan(png, signal);
  expect(code).toContain(`Endpoint = ${RELAY}:51821\n`);
  expect(code).toContain('MTU = 1340\n');
  const { href } = await urlOf('shop');
  expect(await phone.open(href, signal, 20)).toMatch(/^shop \+ 0 bytes/);
}, 60_000);

it('drops nothing of what is open while the daemons at both ends are killed', async () => {
  const { hostname, port } = await urlOf('node');
  const echoed = scene.talk(hostname, Number(port), 5);
  await sleep(1000);
  expect(await scene.kill('home', 'main.js (daemon|helper)')).toBeGreaterThanOrEqual(2);
  expect(await scene.kill('vps', 'relay up')).toBeGreaterThan(0);
  expect(await echoed).toMatch(/^0 of [1-9]\d{5,} missing$/);
  await scene.startRelay();
  expect((await scene.owner.json<{ changes: string[] }>('up')).changes).toEqual([]);
  // The daemon that came back visits for the first time.
  await proves('device', 'a device connected through the relay vps');
  const [device] = await scene.owner.json<DeviceStatus[]>('device', 'list');
  expect(device?.endpoint).toBe('the relay vps');
}, 60_000);

it('goes on when WireGuard at home dies and is made anew: home speaks first', async () => {
  const { hostname, port } = await urlOf('node');
  const echoed = scene.talk(hostname, Number(port), 3);
  await sleep(500);
  expect(await scene.kill('home', 'wireguard-go.* gwwg0')).toBeGreaterThan(0);
  expect(await echoed).toMatch(/^0 of [1-9]\d{5,} missing$/);
}, 30_000);

it('ends with the device, and leaves nothing of it at the relay', async () => {
  const { href } = await urlOf('shop');
  await scene.demand('device', 'revoke', 'phone');
  await expect(phone.open(href, signal, 2)).rejects.toThrow();
  for (const service of ['shop', 'node'])
    await scene.demand('unexpose', service, '--via', 'wireguard', '--now');
  const devices = (): Promise<string> =>
    scene.on('vps', 'nft', 'list', 'map', 'inet', 'gateway-relay', 'devices4');
  expect(await devices()).not.toContain('51821');
  expect(await scene.owner.home('ip', 'netns', 'exec', 'gw-hub', 'ip', '-br', 'link')).not.toContain('gwr-');
}, 40_000);
