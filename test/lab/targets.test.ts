import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PlanReport, UpReport } from '../../src/core/control.ts';
import type { Status } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Phone } from '../../src/lab/actors/phone.ts';
import { TorVisitor } from '../../src/lab/actors/visitor.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';

/** Services that are not isolated: one on another machine of the LAN, one on the gateway's own machine. */
const TOPOLOGY = parseTopology(
  {
    description: 'a home with a printer in its LAN, a phone and a laptop elsewhere, a private Tor network',
    nodes: {
      core: { kind: 'router' },
      tornet: { defaultRoute: '11.9.0.1', services: [{ type: 'tor' }] },
      router: {
        kind: 'router',
        defaultRoute: '11.2.0.1',
        nat: { outside: 'uplink' },
        forwards: [{ protocol: 'udp', port: 51820, to: '192.168.50.10:51820' }],
      },
      home: { defaultRoute: '192.168.50.1' },
      printer: {
        defaultRoute: '192.168.50.1',
        services: [{ type: 'page', port: 443, title: 'the printer' }],
      },
      carrier: {
        kind: 'router',
        defaultRoute: '11.3.0.1',
        nat: { outside: 'trunk', behaviour: 'symmetric' },
      },
      phone: { defaultRoute: '100.65.0.1' },
      laptop: { defaultRoute: '100.65.0.1' },
      visitor: { defaultRoute: '11.5.0.1' },
    },
    networks: {
      relays: {
        core: '11.9.0.1/24',
        tornet: ['11.9.0.10/24', '11.9.0.11/24', '11.9.0.12/24', '11.9.0.13/24', '11.9.0.14/24'],
      },
      uplink: { core: '11.2.0.1/24', router: '11.2.0.2/24' },
      lan: { router: '192.168.50.1/24', home: '192.168.50.10/24', printer: '192.168.50.20/24' },
      trunk: { core: '11.3.0.1/24', carrier: '11.3.0.2/24' },
      mobile: { carrier: '100.65.0.1/16', phone: '100.65.0.2/16', laptop: '100.65.0.3/16' },
      access: { core: '11.5.0.1/24', visitor: '11.5.0.2/24' },
    },
  },
  'targets',
);
const CONFIG = `wireguard: { endpoint: 11.2.0.2:51820 }
services:
  printer: { target: '192.168.50.20:443', kind: http, expose: { wireguard: {}, tor: {} } }
  nas: { namespace: host, port: 8080, kind: http, expose: { wireguard: {}, tor: {} } }
`;
const BYTES = 24_000_000;
const NODE = '/opt/gateway/node_modules/.bin/node';
const SHOP = '/opt/gateway/dist/src/lab/shop.js';

let lab: Lab;
let gateway: LabGateway;
let phone: Phone;
let laptop: Phone;
let visitor: TorVisitor;
const signal = AbortSignal.timeout(280_000);

beforeAll(async () => {
  lab = await startLab(TOPOLOGY, { signal });
  visitor = await TorVisitor.start(lab, 'visitor');
  gateway = await LabGateway.prepare(lab, 'home', CONFIG);
  await gateway.command(signal, 'up');
  await startNas('0.0.0.0');
  phone = await enrol('phone', 'printer', 'nas');
  laptop = await enrol('laptop', 'nas');
}, 120_000);
afterAll(() => lab?.stop());

async function enrol(name: string, ...services: string[]): Promise<Phone> {
  const png = join(lab.directory, `${name}.png`);
  const granted = services.flatMap((service) => ['--service', service]);
  await gateway.command(signal, 'device', 'add', name, ...granted, '--no-wait', '--png', png);
  const device = new Phone(lab.node(name));
  await device.scan(png, signal);
  return device;
}

/** The demo's shop on the machine itself, as any program runs there. */
async function startNas(host: string): Promise<void> {
  const logFile = join(gateway.node.directory, 'nas.log');
  await gateway.node.detach([NODE, SHOP, '8080', host], { logFile });
}

const addressOf = (status: Status, name: string, provider: string): string =>
  status.services.find((service) => service.name === name)?.ways.find((way) => way.provider === provider)
    ?.address ?? '';
const pagesOf = async (provider: string) => {
  const status = await gateway.status(signal);
  return { printer: addressOf(status, 'printer', provider), nas: addressOf(status, 'nas', provider) };
};

async function pidsOf(pattern: string): Promise<string[]> {
  const { stdout } = await gateway.node.run(['pgrep', '-f', pattern], { signal, accept: [0, 1] });
  return stdout.split('\n').filter((line) => line !== '');
}
/** The one that visitors come to, and the one in the hub. */
const edges = async (): Promise<string[]> => {
  const files = ['edge', 'door'].map((name) => readFile(join(gateway.root, 'run', name, 'pid'), 'utf8'));
  return (await Promise.all(files)).map((text) => text.trim());
};
const processesOf = async () => ({
  edge: await pidsOf('haproxy .*-W '),
  tor: await pidsOf('^([^ ]*/)?tor '),
});

it('lets a phone reach another machine of the LAN, which sees the gateway’s machine', async () => {
  const { printer } = await pagesOf('wireguard');
  expect(printer).toMatch(/^http:\/\/10\.64\.1\.\d+:443$/);
  const page = await phone.open(`${printer}/`, signal);
  expect(page).toContain('the printer');
  expect(page).toContain('192.168.50.10');
});

it('lets a phone reach a service of the host, which sees the phone', async () => {
  const { nas } = await pagesOf('wireguard');
  expect(await phone.open(`${nas}/`, signal)).toMatch(/You come from 10\.64\.8\.\d+\./);
  expect(await laptop.open(`${nas}/`, signal)).toMatch(/You come from 10\.64\.8\.\d+\./);
});

it('lets nobody reach it who was not given it', async () => {
  const { printer } = await pagesOf('wireguard');
  await expect(laptop.open(`${printer}/`, signal, 3)).rejects.toThrow(/curl: \((7|28)\)/);
  // The host takes packets for its pool addresses from every interface: from the LAN, HAProxy must refuse.
  const neighbour = lab.node('printer');
  await neighbour.run(['ip', 'route', 'add', '10.64.0.0/20', 'via', '192.168.50.10'], { signal });
  const curl = ['curl', '-sS', '--max-time', '3', `${printer}/`] as const;
  await expect(neighbour.run([...curl], { signal })).rejects.toThrow(/curl/);
});

it('has proved both for the phone, and says that neither is isolated', async () => {
  const isProved = ({ services }: Status): boolean =>
    services.every(({ ways }) => ways.find(({ provider }) => provider === 'wireguard')?.reachable === 'yes');
  const status = await gateway.until('the proof by the phone', isProved, signal);
  expect(status.services.map(({ isolated }) => isolated)).toEqual([false, false]);
  expect(status.services.find(({ name }) => name === 'nas')?.listening.status).toBe('yes');
});

it('lets a visitor of the onions reach both', async () => {
  await visitor.bootstrapped(signal);
  await gateway.until(
    'the proof through tor',
    ({ services }) => services.every(({ ways }) => ways.every(({ reachable }) => reachable === 'yes')),
    signal,
  );
  const { printer, nas } = await pagesOf('tor');
  expect(await visitor.open(`${printer}/`, signal)).toContain('192.168.50.10');
  expect(await visitor.open(`${nas}/`, signal)).toMatch(/You come from fc00:dead:beef:4dad:/);
}, 90_000);

it('keeps both while daemon and helper are dead, and then has nothing to change', async () => {
  const { printer, nas } = await pagesOf('wireguard');
  const before = await edges();
  const killed = [...(await pidsOf('main.js daemon')), ...(await pidsOf('main.js helper'))];
  expect(killed).toHaveLength(2);
  await gateway.node.run(['kill', '-KILL', ...killed], { signal });
  expect(await phone.open(`${printer}/`, signal)).toContain('the printer');
  expect(await phone.open(`${nas}/`, signal)).toContain('The corner shop');
  expect(await gateway.json<UpReport>(signal, 'up')).toMatchObject({ changes: [], failed: [] });
  expect((await gateway.json<PlanReport>(signal, 'plan')).changes).toEqual([]);
  expect(await edges()).toEqual(before);
}, 60_000);

it('says when a service of the host listens where nobody arrives', async () => {
  const { services: before } = await gateway.status(signal);
  const own = before.find(({ name }) => name === 'nas')?.address ?? '';
  await gateway.node.run(['pkill', '-f', `${SHOP} 8080`], { signal });
  await startNas(own);
  const { services } = await gateway.until(
    'the warning',
    (status) => status.services.find(({ name }) => name === 'nas')?.listening.status === 'no',
    signal,
  );
  const { message } = services.find(({ name }) => name === 'nas')?.listening ?? { message: '' };
  expect(message).toContain(`${own}:8080 only`);
  expect(message).toMatch(/visitors arrive at 127\.0\.0\.1; let it listen/);
});

it('comes back after a power cut, as it was', async () => {
  await gateway.node.cut();
  await lab.boot('home', signal);
  expect(await gateway.json<UpReport>(signal, 'up')).toMatchObject({ failed: [] });
  const { printer } = await pagesOf('wireguard');
  // The phone notices after 15 s that nobody answers, and shakes hands again (WireGuard, 6.5).
  const open = () => phone.open(`${printer}/`, signal, 5).catch((error: unknown) => String(error));
  await expect.poll(open, { timeout: 60_000, interval: 500 }).toContain('the printer');
}, 90_000);

it('lets a download finish when the last way in by the edge is closed, and lets nobody new in', async () => {
  const printer = lab.node('printer');
  await printer.run(['pkill', '-f', ' 443 '], { signal });
  await printer.detach([NODE, SHOP, '443'], { logFile: join(printer.directory, 'shop.log') });
  const { printer: url } = await pagesOf('wireguard');
  const page = () => phone.open(`${url}/`, signal, 3).catch((error: unknown) => String(error));
  await expect.poll(page, { timeout: 15_000 }).toContain('The corner shop');
  const slow = ['curl', '-sS', '--fail', '--limit-rate', '3M', '--speed-time', '5'] as const;
  const file = join(phone.node.directory, 'download');
  const argv = [...slow, '-o', file, `${url}/download?bytes=${BYTES}`] as const;
  const ended = phone.node.run([...argv], { signal, timeoutMs: 60_000, accept: [0, 18, 28, 56] });
  const size = (): Promise<number> =>
    stat(file).then(
      ({ size: bytes }) => bytes,
      () => 0,
    );
  await expect.poll(size, { timeout: 10_000 }).toBeGreaterThan(1_000_000);
  await gateway.command(signal, 'unexpose', 'printer', '--via', 'wireguard');
  expect(await size()).toBeLessThan(BYTES);
  expect(await page()).toMatch(/curl/);
  await ended;
  expect(await size()).toBe(BYTES);
}, 60_000);

it('ends HAProxy with the last service that it served, and everything at the end', async () => {
  await gateway.command(signal, 'service', 'remove', 'printer');
  expect((await processesOf()).edge).not.toEqual([]);
  await gateway.command(signal, 'service', 'remove', 'nas');
  expect((await processesOf()).edge).toEqual([]);
  await gateway.command(signal, 'down');
  expect(await processesOf()).toEqual({ edge: [], tor: [] });
  const { stdout } = await gateway.node.run(['ip', 'address'], { signal });
  expect(stdout).not.toContain('10.64.');
}, 60_000);
