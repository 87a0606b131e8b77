import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { UpReport } from '../../src/core/control.ts';
import type { DeviceStatus, Status } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Phone } from '../../src/lab/actors/phone.ts';
import { startLab, type Lab } from '../../src/lab/index.ts';
import { Owner, wayOf } from '../support/owner.ts';

/** Down removes everything and keeps what cannot be made again; two gateways live side by side. */
const configOf = (instance: string, port: number): string => `# The owner's words.
instance: ${instance}
wireguard: { port: ${port}, endpoint: "11.2.0.2:51820" }
services:
  shop: { port: 80, kind: http, expose: { tor: {}, wireguard: {} } }
`;
let lab: Lab;
let owner: Owner;
let phone: Phone;
let before: readonly string[];
const signal = AbortSignal.timeout(200_000);

beforeAll(async () => {
  lab = await startLab('demo', { signal });
  phone = new Phone(lab.node('phone'));
  owner = new Owner(await LabGateway.prepare(lab, 'home', configOf('gw', 51820)), signal);
  before = await owner.inventory();
}, 60_000);
afterAll(() => lab?.stop());

const shop = async (): Promise<string> =>
  owner.json<Status>('status').then((status) => wayOf(status, 'shop', 'wireguard')?.address ?? '');
const onion = async (who = owner): Promise<string | null | undefined> =>
  wayOf(await who.json<Status>('status'), 'shop', 'tor')?.address;

it('says what the first up made, then that nothing had to change', async () => {
  const report = await owner.json<UpReport>('up');
  expect(report.changes.join('\n')).toMatch(
    /hub[^]*a namespace for shop[^]*WireGuard on UDP port 51820[^]*onion service for shop/,
  );
  expect(report.failed).toEqual([]);
  expect((await owner.type('up')).stdout).toBe('Generation 1 is applied: nothing had to change.\n');
}, 30_000);

it('down leaves the machine as it was, and stays down', async () => {
  await owner.gateway.runShop('shop', 80);
  const png = join(lab.directory, 'phone.png');
  await owner.type('device', 'add', 'phone', '--service', 'shop', '--no-wait', '--png', png);
  await phone.scan(png, signal);
  expect(await phone.open(await shop(), signal)).toContain('The corner shop');
  const kept = {
    onion: await onion(),
    key: await readFile(owner.file('lib/keys/wireguard/interface.key'), 'hex'),
  };

  const down = await owner.type('down');
  // With what it said: a code alone would not tell why.
  expect([down.exitCode, down.stdout, down.stderr]).toEqual([
    0,
    expect.stringContaining('keys and state are kept'),
    expect.anything(),
  ]);
  // The shop itself is the owner's program: it goes on, in a namespace that has no name any more.
  await owner.home('pkill', '-f', 'shop.js');
  expect(await owner.inventory()).toEqual(before);
  expect(await owner.type('status')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('gateway up'),
  });

  // Like a boot: helper and daemon start, and the owner has not said up.
  const start = async (part: string): Promise<number> =>
    owner.gateway.node.detach(
      part === 'helper'
        ? owner.gateway.argv(part)
        : ['setpriv', '--reuid=gateway', '--regid=gateway', '--init-groups', ...owner.gateway.argv(part)],
      {
        logFile: join(owner.gateway.node.directory, `${part}.log`),
      },
    );
  await start('helper');
  await start('daemon');
  await expect
    .poll(async () => (await owner.type('status')).stdout, { timeout: 15_000 })
    .toContain('The gateway is down');
  expect((await owner.type('status')).exitCode).toBe(2);
  expect(await owner.home('ip', 'netns', 'list')).toBe('');
  const device = await owner.type('device', 'add', 'other', '--service', 'shop');
  expect(device).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('gateway up') });

  const up = await owner.json<UpReport>('up');
  expect(up.changes.length).toBeGreaterThan(4);
  expect(await onion()).toBe(kept.onion);
  expect(await readFile(owner.file('lib/keys/wireguard/interface.key'), 'hex')).toBe(kept.key);
  await owner.gateway.runShop('shop', 80);
  await expect
    .poll(() => phone.open('http://10.64.1.2', signal).catch(String), { timeout: 30_000 })
    .toContain('The corner shop');
}, 90_000);

it('names every change after down, and applies a file that was edited meanwhile, not the one before', async () => {
  await owner.type('down');
  await writeFile(owner.file('etc/gateway.yaml'), configOf('gw', 51820).replace('tor: {}, ', ''));
  const up = await owner.json<UpReport>('up');
  expect(up.changes.join('\n')).toMatch(/hub[^]*a namespace for shop[^]*WireGuard/);
  expect(up.changes.join('\n')).not.toContain('onion');
  const events = JSON.stringify(await owner.json('events', '--last', '12'));
  expect(events.split('gateway.down').at(-1)).not.toContain('onion service');
}, 40_000);

it('removes what it made under its old name when it is given another', async () => {
  await writeFile(owner.file('etc/gateway.yaml'), configOf('gy', 51820));
  expect((await owner.type('up')).exitCode).toBe(0);
  const names = await owner.home('ip', 'netns', 'list');
  expect(names).toContain('gy-shop');
  expect(names).not.toContain('gw-');
  expect(await owner.home('ip', '-br', 'link')).not.toMatch(/^gw/m);
  await writeFile(owner.file('etc/gateway.yaml'), configOf('gw', 51820));
  await owner.type('up');
  await owner.home('pkill', '-f', 'shop.js');
  await owner.gateway.runShop('shop', 80);
}, 40_000);

it('lives beside another gateway on the same machine, and outlives it', async () => {
  const isListening = async (who: Owner) => (await who.json<Status>('status')).services[0]?.listening.status;
  await expect.poll(() => isListening(owner), { timeout: 15_000 }).toBe('yes');
  const alone = await owner.inventory();
  const other = new Owner(await LabGateway.prepare(lab, 'home', configOf('gx', 51821), 'gx'), signal);
  const up = await other.type('up');
  expect(up).toMatchObject({ exitCode: 0 });
  await other.gateway.runShop('shop', 80);
  await expect.poll(() => isListening(other), { timeout: 15_000 }).toBe('yes');
  const [mine, theirs] = [
    await shop(),
    wayOf(await other.json<Status>('status'), 'shop', 'wireguard')?.address,
  ];
  expect(theirs).toMatch(/^http:\/\/10\.(?!64\.)/);
  expect(await onion(other)).not.toBe(await onion());
  await expect
    .poll(() => phone.open(mine, signal).catch(String), { timeout: 30_000 })
    .toContain('The corner shop');
  // Neither reaches the other's service, although both are on one machine.
  const reach = ['nsenter', '--net=/run/netns/gx-shop', 'curl', '-sS', '--max-time', '2', mine] as const;
  expect(await owner.home('sh', '-c', `${reach.join(' ')} || echo refused`)).toContain('refused');

  await other.type(
    'device',
    'add',
    'tablet',
    '--service',
    'shop',
    '--no-wait',
    '--conf',
    join(lab.directory, 'tablet.conf'),
  );
  expect((await owner.json<DeviceStatus[]>('device', 'list')).map(({ name }) => name)).toEqual(['phone']);
  await other.type('down');
  await owner.home(
    'sh',
    '-c',
    'for p in $(pgrep -f shop.js); do readlink /proc/$p/cwd | grep -q /gx/ && kill $p; done; true',
  );
  expect(await owner.inventory()).toEqual(alone);
  expect(await phone.open(mine, signal)).toContain('The corner shop');
}, 60_000);
