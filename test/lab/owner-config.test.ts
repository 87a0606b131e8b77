import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Generation, PlanReport, UpReport } from '../../src/core/control.ts';
import type { JournalEvent } from '../../src/core/events.ts';
import type { DeviceStatus, Status } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Phone } from '../../src/lab/actors/phone.ts';
import { startLab, type Lab } from '../../src/lab/index.ts';
import { Owner, wayOf } from '../support/owner.ts';

/** The owner's file: edited by hand and by command, broken, lost, rolled back. */
const CONFIG = `# Our home.
wireguard: { endpoint: "11.2.0.2:51820" } # the router forwards it
services:
  shop: # on the corner
    port: 80
    kind: http
    expose: { wireguard: {} }
`;
const SHOP_URL = 'http://10.64.1.2';
let lab: Lab;
let owner: Owner;
let phone: Phone;
const signal = AbortSignal.timeout(200_000);

beforeAll(async () => {
  lab = await startLab('demo', { signal });
  phone = new Phone(lab.node('phone'));
  owner = new Owner(await LabGateway.prepare(lab, 'home', CONFIG), signal);
  await owner.type('up');
  await owner.gateway.runShop('shop', 80);
}, 60_000);
afterAll(() => lab?.stop());

const writeConfig = (text: string): Promise<void> => writeFile(owner.file('etc', 'gateway.yaml'), text);
const generation = async (): Promise<number | null> => (await owner.json<Status>('status')).generation;

it.each([
  [['service', 'remove', 'shpo'], 1, 'ServiceUnknown: there is no service shpo', 'services are: shop'],
  [['expose', 'shpo', '--via', 'tor'], 1, 'ServiceUnknown', 'services are: shop'],
  [['expose', 'shop', '--via', 'wiregard'], 1, 'services.shop.expose.wiregard', 'wireguard'],
  [['unexpose', 'shop', '--via', 'tor'], 1, 'shop is not exposed through tor', 'its ways in are: wireguard'],
  [['device', 'add', 'x', '-s', 'nope'], 1, 'ServiceUnknown: there is no service nope', 'services: shop'],
  [['device', 'revoke', 'nobody'], 1, 'DeviceUnknown: there is no device nobody', 'gateway device add'],
  [['service', 'add', 'shop', '--port', '81'], 1, 'there is a service shop already', 'choose another name'],
  [['service', 'add', 'Shop!', '--port', '81'], 1, 'Shop!', 'a to z'],
  [['service', 'set', 'shop', '--kind', 'htp'], 64, 'htp', 'http'],
  [['rollback', '77'], 1, 'there is no generation 77', 'gateway generations'],
  [['stauts'], 64, 'stauts', 'status'],
] as const)('%j ends with %i and says what is wrong and what to do', async (words, exitCode, wrong, next) => {
  const said = await owner.type(...words);
  expect(said).toMatchObject({ exitCode, stdout: '' });
  expect(said.stderr).toContain(wrong);
  expect(said.stderr).toContain(next);
  expect(await owner.config()).toBe(CONFIG);
});

it('answers every reading command in JSON', async () => {
  for (const words of [
    'status',
    'plan',
    'service list',
    'device list',
    'events',
    'generations',
    'qr shop --json',
  ]) {
    const { stdout } = await owner.type('--json', ...words.replace(' --json', '').split(' '));
    expect(() => JSON.parse(stdout) as unknown, words).not.toThrow();
  }
});

it('names line, column and the likely meaning of a mistake, and changes nothing', async () => {
  const before = await generation();
  await writeConfig(CONFIG.replace('port: 80', 'prot: 80'));
  for (const command of ['up', 'plan']) {
    const said = await owner.type(command);
    expect(said).toMatchObject({ exitCode: 1, stdout: '' });
    expect(said.stderr).toMatch(/gateway\.yaml:5:5: services\.shop\.prot .*did you mean "port"/);
  }
  const edited = await owner.type('service', 'add', 'blog', '--port', '8080');
  expect(edited).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('ConfigInvalid') });
  expect(await owner.config()).toContain('prot: 80');
  expect(await generation()).toBe(before);
  expect((await owner.type('status')).stdout).toContain('gateway.yaml differs from what is applied');
  await writeConfig(CONFIG);
});

it('takes a lost file for an accident, not for a wish', async () => {
  await rm(owner.file('etc', 'gateway.yaml'));
  const up = await owner.type('up');
  expect(up).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/ConfigMissing.*\nnext: .*gateway rollback 1/),
  });
  expect((await owner.type('service', 'add', 'blog', '--port', '8080')).exitCode).toBe(1);
  expect((await owner.type('rollback', '1')).exitCode).toBe(0);
  expect(await owner.config()).toBe(CONFIG);
  expect((await owner.json<PlanReport>('plan')).changes).toEqual([]);
});

it('says that a hand edit was applied together with a command', async () => {
  await writeConfig(`${CONFIG}# a late thought\n`);
  const set = await owner.type('service', 'set', 'shop', '--privacy', 'hide-home-address');
  expect(set).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('! gateway.yaml was edited by hand'),
  });
  expect(await owner.config()).toMatch(
    /# on the corner\n[^]*privacy: hide-home-address\n[^]*# a late thought\n/,
  );
});

it('rolls back: the file is as it was with its comments, the other one is kept, devices are untouched', async () => {
  const png = join(lab.directory, 'phone.png');
  await owner.type('device', 'add', 'phone', '--service', 'shop', '--no-wait', '--png', png);
  await phone.scan(png, signal);
  await owner.type('service', 'add', 'blog', '--port', '8080', '--no-tor');
  expect(await owner.home('ip', 'netns', 'list')).toContain('gw-blog');
  const later = await owner.config();
  const back = await owner.type('rollback', '1');
  expect(back).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/! the file as it was is kept as \S+gateway\.yaml\.before-/),
  });
  expect(await owner.config()).toBe(CONFIG);
  const kept = (await readdir(owner.file('etc'))).filter((name) => name.includes('before-'));
  expect(await readFile(owner.file('etc', kept.at(-1) ?? ''), 'utf8')).toBe(later);
  expect(await owner.home('ip', 'netns', 'list')).not.toContain('gw-blog');
  expect(await phone.open(SHOP_URL, signal)).toContain('The corner shop');
  expect((await owner.json<DeviceStatus[]>('device', 'list')).map(({ name }) => name)).toEqual(['phone']);
  const list = await owner.json<Generation[]>('generations');
  expect(list.at(-1)).toMatchObject({ current: true, programmed: true });
  const forward = await owner.type('rollback');
  expect(forward.exitCode).toBe(0);
  expect(await owner.config()).toBe(later);
}, 60_000);

it('a service of the same name inherits no grants', async () => {
  await owner.type('service', 'remove', 'shop');
  await owner.type('service', 'add', 'shop', '--port', '80', '--no-tor', '--via', 'wireguard');
  expect((await owner.json<DeviceStatus[]>('device', 'list'))[0]?.services).toEqual([]);
  expect(
    await owner.home(
      'nsenter',
      '--net=/run/netns/gw-hub',
      'nft',
      'list',
      'set',
      'inet',
      'gateway',
      'allowed',
    ),
  ).not.toContain('gwwg0');
  await expect(phone.open(SHOP_URL, signal, 3)).rejects.toThrow(/curl/);
}, 30_000);

it('switches isolation off and on with one option, and says where the program belongs', async () => {
  const off = await owner.type('service', 'set', 'shop', '--isolation', 'off');
  expect(off).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('shop is not isolated') });
  expect(await owner.home('ip', 'netns', 'list')).not.toContain('gw-shop');
  expect((await owner.type('status')).stdout).toContain('not isolated');
  const on = await owner.type('service', 'set', 'shop', '--isolation', 'on');
  expect(on).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('NetworkNamespacePath=/run/netns/gw-shop'),
  });
  expect(await owner.home('ip', 'netns', 'list')).toContain('gw-shop');
}, 30_000);

it('keeps a tor-only service off WireGuard, says so, and leaves Tor alone', async () => {
  await owner.type('expose', 'shop', '--via', 'tor');
  const set = await owner.type('service', 'set', 'shop', '--privacy', 'tor-only');
  expect(set).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining('PrivacyForbids: shop has privacy tor-only'),
  });
  const status = await owner.json<Status>('status');
  expect(wayOf(status, 'shop', 'wireguard')).toMatchObject({ phase: 'rejected', address: null });
  expect(wayOf(status, 'shop', 'tor')?.address).toMatch(/\.onion$/);
  expect((await owner.type('plan')).stdout).toContain('remove wireguard from services.shop.expose');
  expect((await owner.type('status')).exitCode).toBe(2);
}, 30_000);

it('tells events as they happen, once each', async () => {
  const file = join(owner.gateway.node.directory, 'events');
  await owner.gateway.node.detach(owner.gateway.argv('--json', 'events', '--follow', '--last', '0'), {
    logFile: file,
  });
  const seen = async (): Promise<JournalEvent[]> =>
    (await readFile(file, 'utf8'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as JournalEvent);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const report = await owner.json<UpReport>('service', 'add', 'wiki', '--port', '81', '--no-tor');
  await expect
    .poll(async () => (await seen()).map(({ type }) => type), { timeout: 15_000 })
    .toContain('config.applied');
  const events = await seen();
  expect(
    events.filter(({ type }) => /^change\.(applied|healed)$/.test(type)).map(({ message }) => message),
  ).toEqual(report.changes);
  expect(new Set(events.map(({ seq }) => seq)).size).toBe(events.length);
}, 30_000);
