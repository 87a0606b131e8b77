import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PlanReport } from '../../src/core/control.ts';
import type { JournalEvent } from '../../src/core/events.ts';
import type { DeviceStatus, Status } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Phone } from '../../src/lab/actors/phone.ts';
import { startLab, type Lab } from '../../src/lab/index.ts';
import { Owner, wayOf } from '../support/owner.ts';

/** What an owner sees when things break: privileges, killed processes, damaged files. */
const CONFIG = `wireguard: { endpoint: "11.2.0.2:51820" }
services:
  shop: { port: 80, kind: http, expose: { tor: {}, wireguard: {} } }
  blog: { port: 81, kind: http, expose: { tor: {} } }
`;
const SHOP_URL = 'http://10.64.1.3';
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
  const png = join(lab.directory, 'phone.png');
  await owner.type('device', 'add', 'phone', '--service', 'shop', '--no-wait', '--png', png);
  await phone.scan(png, signal);
}, 60_000);
afterAll(() => lab?.stop());

const daemonPid = async (): Promise<string> => (await owner.pidsOf('main.js daemon'))[0] ?? '';
const condition = (status: Status, service: string, provider: string, type: string) =>
  wayOf(status, service, provider)?.conditions.find((each) => each.type === type);
const nothingToDo = async (): Promise<void> =>
  expect.poll(async () => (await owner.json<PlanReport>('plan')).changes, { timeout: 15_000 }).toEqual([]);

/** Starts a command, and kills the daemon as soon as `when` is there. */
async function killDuring(words: readonly string[], afterMs: number): Promise<void> {
  const running = owner.type(...words);
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  await owner.home('kill', '-KILL', await daemonPid());
  const { exitCode, stderr } = await running;
  if (exitCode !== 0) expect(stderr).toMatch(/DaemonUnreachable: .*\nnext: /);
}

it('gives the daemon no privilege, tor a user of its own, and other people nothing', async ({ skip }) => {
  if (!lab.usersMapped) skip(lab.limits.join('; '));
  const status = await owner.home('cat', `/proc/${await daemonPid()}/status`);
  for (const line of [
    'CapEff:\t0000000000000000',
    'CapPrm:\t0000000000000000',
    'CapBnd:\t0000000000000000',
    'NoNewPrivs:\t1',
  ])
    expect(status).toContain(line);
  const users = await owner.home('ps', '-e', '-o', 'user:20=,args=');
  expect(users).toMatch(/^gateway +.*main\.js daemon/m);
  expect(users).toMatch(/^root +.*main\.js helper/m);
  expect(users).toMatch(/^gateway-tor +(\S*\/)?tor /m);
  const stranger = ['setpriv', '--reuid=60000', '--regid=60000', '--clear-groups'] as const;
  for (const path of ['run/api.sock', 'run/helper.sock'])
    expect(
      await owner.home(
        'sh',
        '-c',
        `${stranger.join(' ')} curl -sS --unix-socket ${owner.file(path)} http://gateway/v1/status 2>&1; true`,
      ),
    ).toMatch(/[Pp]ermission denied|Could not connect|Couldn't connect/);
  for (const path of ['lib/keys/tor/shop.key', 'lib/state.db', 'lib/snapshot.json', 'lib/tor'])
    expect(
      await owner.home('sh', '-c', `${stranger.join(' ')} cat ${owner.file(path)} 2>&1`),
      path,
    ).toContain('ermission denied');
  const asStranger = await owner.gateway.node.run([...stranger, ...owner.gateway.argv('status')], {
    signal,
    accept: [1],
  });
  expect(asStranger.stderr).toContain('become a member of the group gateway');
});

it('holds the memory of daemon and helper small, also when up started them', async () => {
  const running = await owner.home('ps', '-e', '-o', 'args=');
  for (const part of ['daemon', 'helper'])
    expect(running).toMatch(new RegExp(`node --max-semi-space-size=2 \\S*main\\.js ${part}`));
});

it('lets one daemon at a time use its directories', async () => {
  const second = await owner.gateway.node.run(
    ['setpriv', '--reuid=gateway', '--regid=gateway', '--init-groups', ...owner.gateway.argv('daemon')],
    { signal, accept: [1] },
  );
  expect(second.stderr).toContain('AlreadyRunning');
  const helper = await owner.type('helper');
  expect(helper).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('AlreadyRunning') });
  expect((await owner.type('status')).stderr).toBe('');
});

it.each([20, 60, 120])(
  'a daemon killed %i ms into an up leaves nothing half made',
  async (afterMs) => {
    const name = `late${afterMs}`;
    await writeFile(
      owner.file('etc/gateway.yaml'),
      `${CONFIG}  ${name}: { port: 82, expose: { tor: {} } }\n`,
    );
    await killDuring(['up'], afterMs);
    // Tor may have ended with what was cut short; then it is started again within seconds.
    const up = async (): Promise<string> => {
      const { exitCode, stdout, stderr } = await owner.type('up');
      return `${exitCode} ${stdout}${stderr}`;
    };
    await expect.poll(up, { timeout: 20_000, interval: 500 }).toMatch(/^0 /);
    await nothingToDo();
    expect((await owner.json<Status>('status')).services.map((service) => service.name)).toContain(name);
    expect(await phone.open(SHOP_URL, signal)).toContain('The corner shop');
  },
  40_000,
);

it.each([30, 90])(
  'a daemon killed %i ms into a device add leaves it added or not, never between',
  async (afterMs) => {
    const name = `tablet${afterMs}`;
    await killDuring(['device', 'add', name, '--service', 'shop', '--no-wait'], afterMs);
    await owner.type('up');
    await nothingToDo();
    const devices = await owner.json<DeviceStatus[]>('device', 'list');
    const isThere = devices.some((device) => device.name === name);
    const again = await owner.type(
      'device',
      isThere ? 'renew' : 'add',
      name,
      ...(isThere ? [] : ['--service', 'shop']),
      '--no-wait',
    );
    expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('scan the code') });
    expect((await owner.type('device', 'revoke', name)).exitCode).toBe(0);
  },
  40_000,
);

it('takes a device back when it could not be let in', async () => {
  const helpers = await owner.pidsOf('main.js helper');
  await owner.home('kill', '-KILL', ...helpers);
  const added = await owner.type('device', 'add', 'unlucky', '--service', 'shop', '--no-wait');
  expect(added).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/HelperUnreachable[^]*next: /) });
  const status = await owner.type('status');
  expect(status.stdout).toMatch(/! the machine could not be looked at: .*helper/);
  await owner.type('up');
  expect((await owner.json<DeviceStatus[]>('device', 'list')).map(({ name }) => name)).toEqual(['phone']);
  expect((await owner.type('device', 'add', 'unlucky', '--service', 'shop', '--no-wait')).exitCode).toBe(0);
  await owner.type('device', 'revoke', 'unlucky');
}, 40_000);

it('names the key of one onion that is damaged, and leaves it and the others alone', async () => {
  const key = owner.file('lib/keys/tor/blog.key');
  const whole = await readFile(key);
  await truncate(key, 40);
  const status = await owner.until(
    'the damaged key is noticed',
    (now) => condition(now, 'blog', 'tor', 'Programmed')?.reason === 'KeyCorrupt',
  );
  expect(condition(status, 'blog', 'tor', 'Programmed')?.message).toContain('blog.key');
  expect(condition(status, 'shop', 'tor', 'Programmed')?.status).toBe('yes');
  const said = await owner.type('status');
  expect(said.stdout).toContain('blog.key');
  expect((await stat(key)).size).toBe(40);
  expect((await owner.type('up')).exitCode).toBe(1);
  expect((await stat(key)).size).toBe(40);
  await writeFile(key, whole);
  expect((await owner.type('up')).exitCode).toBe(0);
  await nothingToDo();
}, 60_000);

it('takes damaged state from its snapshot, and says so in status and events', async () => {
  await owner.home('kill', '-KILL', await daemonPid());
  await owner.home('rm', '-f', owner.file('lib/state.db-wal'), owner.file('lib/state.db-shm'));
  await writeFile(owner.file('lib/state.db'), 'this was a database');
  expect((await owner.type('up')).exitCode).toBe(0);
  const status = await owner.type('status');
  expect(status.stdout).toMatch(/! .*state\.db.*snapshot/);
  expect((await owner.json<DeviceStatus[]>('device', 'list')).map(({ name }) => name)).toEqual(['phone']);
  const events = await owner.json<JournalEvent[]>('events');
  expect(events.map(({ type }) => type)).toContain('state.recovered');
  expect(await owner.home('ls', owner.file('lib'))).toContain('state.db.damaged-');
  expect(await phone.open(SHOP_URL, signal)).toContain('The corner shop');
  await nothingToDo();
}, 40_000);
