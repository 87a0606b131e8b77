import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NODE_INSIDE, parseTopology, type Lab } from '../../src/lab/index.ts';
import { startMappingHome, type MappingHome } from '../support/mapping-lab.ts';
import { startMiniupnpd } from '../support/miniupnpd.ts';

/** A router whose IPv6 firewall lets nobody in, and a phone that has IPv6: the port is opened there too. */
const signal = AbortSignal.timeout(120_000);
const HOME = '2b00:50::10';
const topology = parseTopology(
  {
    nodes: {
      core: { kind: 'router', routes: [{ to: '2b00:50::/64', via: '2b00:2::2' }] },
      router: {
        kind: 'router',
        defaultRoute: '11.2.0.1',
        nat: { outside: 'uplink' },
        routes: [{ to: '::/0', via: '2b00:2::1' }],
      },
      home: { defaultRoute: '192.168.50.1' },
      phone: { defaultRoute: '11.3.0.1', routes: [{ to: '::/0', via: '2b00:3::1' }] },
    },
    networks: {
      uplink: { core: ['11.2.0.1/24', '2b00:2::1/64'], router: ['11.2.0.2/24', '2b00:2::2/64'] },
      lan: {
        router: ['192.168.50.1/24', '2b00:50::1/64', 'fe80::1/64'],
        home: ['192.168.50.10/24', `${HOME}/64`],
      },
      mobile: { core: ['11.3.0.1/24', '2b00:3::1/64'], phone: ['11.3.0.2/24', '2b00:3::2/64'] },
    },
  },
  'a closed IPv6 firewall',
);
let home: MappingHome;

beforeAll(async () => {
  home = await startMappingHome([], signal, startRouter, topology);
  const config = await home.owner.config();
  await writeFile(
    home.owner.file('etc', 'gateway.yaml'),
    `wireguard: { endpoint: "[${HOME}]:51820" }\n${config}`,
  );
  expect((await home.owner.type('up')).exitCode).toBe(0);
}, 60_000);
afterAll(() => home?.lab.stop());

async function startRouter(lab: Lab): Promise<void> {
  const route = ['ip', '-6', 'route', 'replace', 'default', 'via', 'fe80::1', 'dev', 'lan'] as const;
  await lab.node('home').run(route, { signal });
  await startMiniupnpd(lab.node('router'), signal);
}

const firewall = async (): Promise<string> => {
  const argv = ['nft', 'list', 'chain', 'inet', 'upnp', 'miniupnpd'] as const;
  return (await home.lab.node('router').run(argv, { signal })).stdout;
};

const held = { state: 'held', externalAddress: HOME, externalPort: 51_820, problem: null };
const pinhole = async () => (await home.ports()).mappings[0]?.pinhole;

it('lets the phone in through the pinhole, over IPv6', async () => {
  await expect.poll(pinhole, { timeout: 20_000 }).toMatchObject(held);
  expect(await home.enrol()).toContain(`\nEndpoint = [${HOME}]:51820\n`);
  expect(await home.phone.open(home.url, signal)).toContain('The corner shop');
  const { stdout } = await home.owner.type('ports');
  expect(stdout).toMatch(/IPv6 +held +\[2b00:50::10\]:51820 +fe80::1%lan +PCP/);
}, 60_000);

/** PCP ANNOUNCE (RFC 6887 14.1.3) of a router that started just now. */
const ANNOUNCE = `const packet = Buffer.alloc(24); packet[0] = 2; packet[1] = 128; packet[11] = 1;
const socket = require('node:dgram').createSocket('udp6');
socket.bind(0, 'fe80::1%lan', () => socket.send(packet, 5350, 'ff02::1%lan', () => socket.close()));`;

it('opens it again when the router says to all, over IPv6, that it restarted', async () => {
  const router = home.lab.node('router');
  await router.run(['nft', 'flush', 'chain', 'inet', 'upnp', 'miniupnpd'], { signal });
  // Repeated, as by real ones (RFC 6887 14.1.1): another announcement may just have been heard.
  const announced = async (): Promise<string> => {
    await router.run([NODE_INSIDE, '-e', ANNOUNCE], { signal });
    return firewall();
  };
  await expect.poll(announced, { timeout: 20_000, interval: 3000 }).toContain('51820');
  const { stdout } = await home.owner.type('events');
  expect(stdout).toMatch(/mapping\.lost .*IPv6: UDP 51820 is not mapped any more: the router restarted/);
}, 40_000);

it('asks by UPnP where the router speaks no PCP', async () => {
  const rules =
    'table ip6 closed {\nchain input {\ntype filter hook input priority 0\nudp dport 5351 reject\n}\n}\n';
  await home.lab.node('router').run(['nft', '-f', '-'], { signal, input: rules });
  await home.owner.type('unexpose', 'shop', '--via', 'wireguard', '--now');
  await home.owner.type('device', 'revoke', 'phone');
  await home.owner.type('expose', 'shop', '--via', 'wireguard', '--no-wait');
  await expect.poll(pinhole, { timeout: 30_000 }).toMatchObject({ ...held, protocol: 'upnp' });
  expect(await firewall()).toMatch(/dport 51820 .*accept/);
}, 60_000);

it('closes it with the rest', async () => {
  expect((await home.owner.type('down')).exitCode).toBe(0);
  expect(await firewall()).not.toContain('accept');
}, 40_000);
