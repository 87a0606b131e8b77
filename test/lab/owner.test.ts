import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Enrolled, PlanReport } from '../../src/core/control.ts';
import type { DeviceStatus } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Phone } from '../../src/lab/actors/phone.ts';
import { TorVisitor } from '../../src/lab/actors/visitor.ts';
import { startLab, type Lab } from '../../src/lab/index.ts';
import { isUp, Owner, wayOf } from '../support/owner.ts';

/** From nothing to a shop that a visitor and a phone open, by the command line alone. */
let lab: Lab;
let owner: Owner;
let visitor: TorVisitor;
let phone: Phone;
const signal = AbortSignal.timeout(280_000);
const NODE = '/opt/gateway/node_modules/.bin/node';
const SHOP_URL = 'http://10.64.1.2';

beforeAll(async () => {
  lab = await startLab('demo', { signal });
  visitor = await TorVisitor.start(lab, 'visitor');
  phone = new Phone(lab.node('phone'));
  owner = new Owner(await LabGateway.prepare(lab, 'home', undefined), signal);
}, 60_000);
afterAll(() => lab?.stop());

const addressOf = async (provider: string): Promise<string> =>
  wayOf(await owner.gateway.status(signal), 'shop', provider)?.address ?? '';

it('from nothing: says what to do next, adds a service, and publishes its onion', async () => {
  const nothing = await owner.type('status');
  expect(nothing).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('next: start it: gateway up'),
  });
  const up = await owner.type('up');
  expect(up).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('next: gateway service add') });
  const added = await owner.type('service', 'add', 'shop', '--port', '80', '--kind', 'http');
  expect(added.exitCode).toBe(0);
  expect(added.stdout).toContain('  NetworkNamespacePath=/run/netns/gw-shop\n');
  expect(added.stdout).toContain('podman run --network ns:/run/netns/gw-shop');
  expect(added.stdout).toMatch(/Onion address: http:\/\/[a-z2-7]{56}\.onion\nIt is published/);
  expect(await owner.config()).toMatch(/^# What is reachable.*\nservices:\n {2}shop:\n {4}port: 80\n/);
}, 60_000);

it('names a service that does not listen, or listens where nobody arrives, and turns green when it does', async () => {
  const silent = await owner.type('status');
  expect([2, 3]).toContain(silent.exitCode);
  expect(silent.stdout).toContain('! shop: nothing listens on port 80 of shop yet');
  const server = `require("node:http").createServer((_, r) => r.end("hidden")).listen(80, "127.0.0.1")`;
  const logFile = join(owner.gateway.node.directory, 'hidden.log');
  const argv = owner.gateway.argv('service', 'run', 'shop', '--', NODE, '-e', server);
  await owner.gateway.node.detach(argv, { logFile });
  await expect
    .poll(async () => (await owner.type('status')).stdout, { timeout: 15_000 })
    .toContain('listens on 127.0.0.1:80 only');
  await owner.home('pkill', '-f', 'hidden');
  await owner.gateway.runShop('shop', 80);
  await owner.until('the shop proved over Tor', isUp('shop', 'tor'));
  const green = await owner.type('status');
  expect(green).toMatchObject({ exitCode: 0, stdout: expect.not.stringContaining('!') });
  await visitor.bootstrapped(signal);
  expect(await visitor.open(await addressOf('tor'), signal)).toContain('The corner shop');
}, 60_000);

it('runs a service as nobody in particular, in a namespace of its own', async () => {
  const look = await owner.type(
    'service',
    'run',
    'shop',
    '--',
    'sh',
    '-c',
    'id -u; pwd; grep -E "Cap(Eff|Bnd)|NoNew" /proc/self/status; cat /etc/resolv.conf; ip -br address',
  );
  expect(look.stdout).toMatch(
    /^6[1-5]\d{3}\n.*\/lib\/services\/shop\nCapEff:\t0+\nCapBnd:\t0+\nNoNewPrivs:\t1\n/,
  );
  expect(look.stdout).toContain('10.64.1.2/32');
  const gone = await owner.type('service', 'run', 'shop', '--', 'sh', '-c', 'exit 3');
  expect(gone.exitCode).toBe(3);
});

it('says what WireGuard lacks, waits for a hand edit, and applies it', async () => {
  const exposed = await owner.type('expose', 'shop', '--via', 'wireguard');
  expect(exposed.exitCode).toBe(0);
  const way = wayOf(await owner.gateway.status(signal), 'shop', 'wireguard');
  const published = way?.conditions.find(({ type }) => type === 'Published');
  expect(published).toMatchObject({ status: 'unknown', reason: 'EndpointUnknown' });
  expect(published?.message).toMatch(
    /192\.168\.50\.1 does not speak PCP.*switch on UPnP.*wireguard: \{ endpoint:/,
  );
  const early = await owner.type('device', 'add', 'early', '--service', 'shop', '--no-wait');
  expect(early).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('would not know where to find'),
  });
  expect((await owner.type('device', 'list')).stdout).toContain('No devices yet');
  const edited = `# My own words.\nwireguard: { endpoint: "11.2.0.2:51820" } # the router forwards it\n${await owner.config()}`;
  await writeFile(owner.file('etc', 'gateway.yaml'), edited);
  expect((await owner.type('status')).stdout).toContain('gateway.yaml differs from what is applied');
  const plan = await owner.type('plan');
  expect(plan).toMatchObject({ exitCode: 0, stdout: '- set up WireGuard again on UDP port 51820 (gwwg0)\n' });
  const up = await owner.type('up');
  expect(up).toMatchObject({ exitCode: 0, stdout: 'Generation 4 is applied: 1 change.\n' });
  expect((await owner.json<PlanReport>('plan')).changes).toEqual([]);
}, 30_000);

it('enrols a phone by its code, which reaches what it was given and is refused the rest at once', async () => {
  await owner.type('service', 'add', 'blog', '--port', '8080', '--no-tor', '--via', 'wireguard');
  await owner.gateway.runShop('blog', 8080);
  const [png, svg, conf] = ['png', 'svg', 'conf'].map((end) => join(lab.directory, `phone.${end}`)) as [
    string,
    string,
    string,
  ];
  const files = ['--png', png, '--svg', svg, '--conf', conf];
  const added = await owner.type('device', 'add', 'phone', '--service', 'shop', '--no-wait', ...files);
  expect(added).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('Switch the phone to mobile data'),
  });
  expect((await stat(conf)).mode & 0o777).toBe(0o600);
  expect(await phone.scan(png, signal)).toBe(await readFile(conf, 'utf8'));
  expect(await readFile(svg, 'utf8')).toContain('<svg');
  expect(await phone.open(SHOP_URL, signal)).toContain('The corner shop');
  const startedAt = performance.now();
  await expect(phone.open('http://10.64.1.3:8080', signal)).rejects.toThrow(/curl.* ended with 7/);
  expect(performance.now() - startedAt).toBeLessThan(5000);
  const [device] = await owner.json<DeviceStatus[]>('device', 'list');
  expect(device).toMatchObject({
    name: 'phone',
    services: ['shop'],
    address: '10.64.8.2',
    endpoint: expect.stringMatching(/^11\.3\.0\.2:/),
  });
  await owner.until('the phone proved WireGuard', isUp('shop', 'wireguard'));
  const again = await owner.type('device', 'add', 'phone', '--service', 'shop', '--no-wait');
  expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('gateway device renew phone') });
}, 60_000);

/** How curl ends when nothing came for three seconds. Uncut, the downloads below would go on for half a minute. */
const STALLED = 28;

/** A slow download into a file; `size` is what has arrived. */
function download(url: string, bytes: number, name: string) {
  const file = join(phone.node.directory, name);
  const argv = [
    'curl',
    '-sS',
    '--fail',
    '--limit-rate',
    '2M',
    '--speed-limit',
    '1',
    '--speed-time',
    '4',
  ] as const;
  const ended = phone.node.run([...argv, '-o', file, `${url}/download?bytes=${bytes}`], {
    signal,
    timeoutMs: 60_000,
    accept: [0, 7, 28, 56],
  });
  const size = async (): Promise<number> => (await stat(file).catch(() => ({ size: 0 }))).size;
  const flows = (): Promise<void> => expect.poll(size, { timeout: 10_000 }).toBeGreaterThan(1_000_000);
  return { ended, size, flows };
}

it('unexpose lets a download finish and nobody new in; --now ends it', async () => {
  const first = download(SHOP_URL, 6_000_000, 'first');
  await first.flows();
  expect((await owner.type('unexpose', 'shop', '--via', 'wireguard')).exitCode).toBe(0);
  await expect(phone.open(SHOP_URL, signal)).rejects.toThrow(/curl/);
  expect((await first.ended).exitCode).toBe(0);
  expect(await first.size()).toBe(6_000_000);
  expect(await owner.config()).toMatch(/^# My own words\.\nwireguard: .* # the router forwards it\n/);

  await owner.type('expose', 'shop', '--via', 'wireguard');
  expect(await phone.open(SHOP_URL, signal)).toContain('The corner shop');
  const second = download(SHOP_URL, 60_000_000, 'second');
  await second.flows();
  expect((await owner.type('unexpose', 'shop', '--via', 'wireguard', '--now')).exitCode).toBe(0);
  expect((await second.ended).exitCode).toBe(STALLED);
  await owner.type('expose', 'shop', '--via', 'wireguard');
}, 90_000);

it('renews a device: the old code stops at once, the new one works, the address stays', async () => {
  const renewed = await owner.json<Enrolled>('device', 'renew', 'phone', '--no-wait');
  expect(renewed.device.address).toBe('10.64.8.2');
  await expect(phone.open(SHOP_URL, signal, 3)).rejects.toThrow(/curl/);
  const png = join(lab.directory, 'renewed.png');
  await owner.type('device', 'renew', 'phone', '--no-wait', '--png', png);
  await phone.leave(signal);
  await phone.scan(png, signal);
  expect(await phone.open(SHOP_URL, signal)).toContain('The corner shop');
}, 60_000);

it('revokes a device: its download stops at once, and it is gone from the list', async () => {
  const open = download(SHOP_URL, 60_000_000, 'revoked');
  await open.flows();
  expect((await owner.type('device', 'revoke', 'phone')).exitCode).toBe(0);
  expect((await open.ended).exitCode).toBe(STALLED);
  await expect(phone.open(SHOP_URL, signal, 3)).rejects.toThrow(/curl/);
  expect((await owner.type('device', 'list')).stdout).toContain('No devices yet');
  expect(await owner.home('ls', owner.file('lib', 'keys', 'wireguard'))).not.toContain('peers/');
}, 60_000);

it('takes an onion away, and gives the same address back', async () => {
  const before = await addressOf('tor');
  const away = await owner.type('unexpose', 'shop', '--via', 'tor');
  expect(away.exitCode).toBe(0);
  const short = visitor.curl(before, 'newcomer', '--max-time', '10');
  await expect(visitor.node.run(short, { signal })).rejects.toThrow(/curl/);
  await owner.type('expose', 'shop', '--via', 'tor');
  expect(await addressOf('tor')).toBe(before);
  await owner.until('the onion proved again', isUp('shop', 'tor'));
}, 90_000);
