import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PlanReport } from '../../src/core/control.ts';
import type { Status } from '../../src/core/status.ts';
import { twinOf } from '../../src/core/ula.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Phone } from '../../src/lab/actors/phone.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import { parseConf } from '../support/wireguard-grammar.ts';

/** Both families inside the tunnel, from the code to the page, over an internet that has IPv6 alone. */
const TOPOLOGY = parseTopology(
  {
    description: 'a home with a laptop in it, and a phone elsewhere, all with public IPv6 addresses',
    nodes: {
      core: { kind: 'router' },
      home: { routes: [{ to: '::/0', via: '2b00:1:1::1' }] },
      laptop: { routes: [{ to: '::/0', via: '2b00:1:1::1' }] },
      phone: { routes: [{ to: '::/0', via: '2b00:2:1::1' }] },
    },
    networks: {
      lan: { core: '2b00:1:1::1/64', home: '2b00:1:1::10/64', laptop: '2b00:1:1::20/64' },
      mobile: { core: '2b00:2:1::1/64', phone: '2b00:2:1::2/64' },
    },
  },
  'ipv6',
);
const CONFIG = `wireguard: { endpoint: '[2b00:1:1::10]:51820' }
services:
  shop: { port: 8080, kind: http, expose: { wireguard: {} } }
  wiki: { port: 8080, kind: http, upstreams: [shop], expose: { wireguard: {} } }
`;

let lab: Lab;
let gateway: LabGateway;
let phone: Phone;
let laptop: Phone;
let codes: Record<string, string> = {};
const signal = AbortSignal.timeout(120_000);

beforeAll(async () => {
  lab = await startLab(TOPOLOGY, { signal });
  gateway = await LabGateway.prepare(lab, 'home', CONFIG);
  await gateway.command(signal, 'up');
  await gateway.runShop('shop', 8080);
  await gateway.runShop('wiki', 8080);
  phone = await enrol('phone', 'shop');
  laptop = await enrol('laptop', 'wiki');
}, 60_000);
afterAll(() => lab?.stop());

async function enrol(name: string, service: string, node = name): Promise<Phone> {
  const png = join(lab.directory, `${name}.png`);
  await gateway.command(signal, 'device', 'add', name, '--service', service, '--no-wait', '--png', png);
  const device = new Phone(lab.node(node));
  codes = { ...codes, [name]: await device.scan(png, signal) };
  return device;
}

const ulaOf = (name: string): string =>
  parseConf(codes[name] ?? '').peers[0]?.['allowedips']?.split(', ')[1] ?? '';
const pageOf = async (name: string): Promise<string> => {
  const { services } = await gateway.status(signal);
  return `http://[${services.find((service) => service.name === name)?.address6}]:8080/`;
};

it('gives a device a block and an address of each family', () => {
  expect(ulaOf('phone')).toMatch(/^fd[0-9a-f]{2}(:[0-9a-f]{1,4}){0,2}::\/48$/);
  expect(ulaOf('laptop')).toBe(ulaOf('phone'));
  const [four = '', six] = parseConf(codes['phone'] ?? '').interface['address']?.split(', ') ?? [];
  expect(six).toBe(`${twinOf({ ula: ulaOf('phone') }, four.replace('/32', ''))}/128`);
});

it('opens its service over IPv6, which sees the address of the device', async () => {
  const own = (await gateway.status(signal)).devices.find(({ name }) => name === 'phone')?.address6;
  expect(parseConf(codes['phone'] ?? '').interface['address']).toContain(`, ${own}/128`);
  expect(await phone.open(await pageOf('shop'), signal)).toContain(`You come from ${own}.`);
});

it('is proved by the device from elsewhere, and not by the one at home', async () => {
  await laptop.open(await pageOf('wiki'), signal);
  const wayOf = (status: Status, name: string) =>
    status.services
      .find((service) => service.name === name)
      ?.ways.find((way) => way.provider === 'wireguard');
  const status = await gateway.until(
    'a proof',
    (now) => wayOf(now, 'shop')?.reachable === 'yes' && wayOf(now, 'wiki')?.vantage === 'lan',
    signal,
  );
  expect(wayOf(status, 'shop')).toMatchObject({ vantage: 'device' });
  expect(wayOf(status, 'wiki')).toMatchObject({ reachable: 'unknown' });
});

it('opens no other, and no device reaches another', async () => {
  await expect(phone.open(await pageOf('wiki'), signal, 3)).rejects.toThrow(/curl: \((7|28)\)/);
  await expect(laptop.open(await pageOf('shop'), signal, 3)).rejects.toThrow(/curl: \((7|28)\)/);
  const address = parseConf(codes['laptop'] ?? '')
    .interface['address']?.split(', ')[1]
    ?.replace('/128', '');
  const ping = ['ping', '-6', '-c1', '-W1', address ?? ''] as const;
  await expect(phone.node.run([...ping], { signal })).rejects.toThrow('ping');
});

it('ends what is open over IPv6 when the device is revoked', async () => {
  const url = `${await pageOf('wiki')}download?bytes=1000000000`;
  const file = `${laptop.node.directory}/download`;
  const download = laptop.node.run(
    ['curl', '-sS', '--limit-rate', '200k', '--max-time', '10', '-o', file, url],
    {
      signal,
      accept: [28],
      timeoutMs: 25_000,
    },
  );
  const size = async (): Promise<number> => (await stat(file).catch(() => ({ size: 0 }))).size;
  await expect.poll(size, { timeout: 10_000 }).toBeGreaterThan(100_000);
  await gateway.command(signal, 'device', 'revoke', 'laptop');
  const atRevocation = await size();
  await sleep(3000);
  // What its socket held already.
  expect(await size()).toBeLessThan(atRevocation + 1_000_000);
  await download;
}, 40_000);

it('moves to another block, and IPv4 goes on with the codes from before', async () => {
  const { services } = await gateway.status(signal);
  const old = await pageOf('shop');
  const file = join(gateway.root, 'etc', 'gateway.yaml');
  await writeFile(file, `ula: fd12:3456:789a::/48\n${CONFIG}`);
  await gateway.command(signal, 'up');
  expect((await gateway.json<PlanReport>(signal, 'plan')).changes).toEqual([]);
  const address = services.find(({ name }) => name === 'shop')?.address ?? '';
  expect(await phone.open(`http://${address}:8080/`, signal)).toContain('You come from 10.64.8.');
  await expect(phone.open(old, signal, 3)).rejects.toThrow(/curl/);
  await phone.leave(signal);
  phone = await enrol('tablet', 'shop', 'phone');
  expect(ulaOf('tablet')).toBe('fd12:3456:789a::/48');
  const six = twinOf({ ula: ulaOf('tablet') }, address) ?? '';
  expect(await phone.open(`http://[${six}]:8080/`, signal)).toContain('You come from fd12:3456:789a::a40:8');
}, 40_000);
