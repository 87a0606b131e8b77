import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RelayStatus } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import type { RelayUp } from '../../src/relay/main.ts';
import { isUp, Owner, wayOf } from '../support/owner.ts';

/** A home behind a router, and a rented machine outside with two addresses. */
const signal = AbortSignal.timeout(120_000);
const CONFIG = `wireguard: { endpoint: "11.2.0.2:51820" }
services:
  shop: { port: 80, kind: http, expose: { wireguard: {} } }
`;
const PROGRAM = '/opt/gateway/bin/gateway';

let lab: Lab;
let owner: Owner;
let invite: string;

const topology = parseTopology(
  {
    nodes: {
      home: { defaultRoute: '192.168.50.1' },
      router: {
        kind: 'router',
        defaultRoute: '11.2.0.1',
        nat: { outside: 'uplink' },
        forwards: [{ protocol: 'udp', port: 51820, to: '192.168.50.10:51820' }],
      },
      core: { kind: 'router' },
      vps: { defaultRoute: '11.1.0.1' },
    },
    networks: {
      lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
      uplink: { core: '11.2.0.1/24', router: '11.2.0.2/24' },
      hosting: { core: '11.1.0.1/24', vps: ['11.1.0.2/24', '11.1.0.3/24'] },
    },
  },
  'relay',
);

const logFile = (): string => join(lab.node('vps').directory, 'relay.log');
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];

async function startRelay(): Promise<number> {
  const state = join(lab.node('vps').directory, 'relay');
  await lab.node('vps').run(['install', '-d', '-o', '65534', '-g', '65534', state], { signal });
  const listen = ['--listen', '11.1.0.2:7443', '--listen', '11.1.0.3:7443'];
  const argv = [PROGRAM, '--json', 'relay', 'up', '--probe-only', ...listen, '--state', state] as const;
  const [first, ...rest] = lab.usersMapped ? [...NOBODY, ...argv] : argv;
  return lab.node('vps').detach([first ?? '', ...rest], { logFile: logFile() });
}

async function said(pattern: RegExp): Promise<string> {
  return expect
    .poll(() => readFile(logFile(), 'utf8'), { timeout: 15_000 })
    .toMatch(pattern)
    .then(() => readFile(logFile(), 'utf8'));
}

beforeAll(async () => {
  lab = await startLab(topology, { signal });
  await startRelay();
  owner = new Owner(await LabGateway.prepare(lab, 'home', CONFIG), signal);
  const up = await owner.type('up');
  expect(up.exitCode).toBe(0);
}, 60_000);
afterAll(() => lab?.stop());

const wireguard = async () => wayOf(await owner.gateway.status(signal), 'shop', 'wireguard');

it('runs on a machine outside without root, and prints an invite that joins once', async () => {
  const text = await said(/"invite":"gateway-relay:/);
  const up = JSON.parse(text.split('\n').find((line) => line.startsWith('{"listening"')) ?? '') as RelayUp;
  expect(up.listening).toEqual(['11.1.0.2:7443', '11.1.0.3:7443']);
  invite = up.invite ?? '';
  expect((await owner.type('relay', 'list')).stdout).toContain('No relays yet.');
  const joined = await owner.json<RelayStatus>('relay', 'join', invite, '--name', 'vps');
  expect(joined).toMatchObject({ name: 'vps', state: 'up', observed: '11.2.0.2', message: '' });
  const again = await owner.type('relay', 'join', invite);
  expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('RelayRefused: ') });
  expect(again.stderr).toContain('this invite was used');
  expect(await owner.config()).toMatch(/\nrelays:\n {2}vps:\n {4}address: 11\.1\.0\.2:7443\n/);
  expect(await owner.config()).not.toContain(invite.split('/').at(-1));
}, 40_000);

it('proves a forwarded port by a handshake from the second address', async () => {
  await owner.until('the way proved by the relay', isUp('shop', 'wireguard'), 20_000);
  expect(await wireguard()).toMatchObject({ reachable: 'yes', vantage: 'relay' });
  expect(await said(/"from":"11\.1\.0\.3","outcome":"answered","bytes":92/)).not.toContain('secret');
  expect(await owner.home('ip', 'netns', 'exec', 'gw-hub', 'wg', 'show', 'gwwg0', 'peers')).toBe('');
  expect((await owner.gateway.status(signal)).devices).toEqual([]);
}, 40_000);

/** Any change of the world has every way visited again at once. */
let visits = 0;
const visitNow = async (): Promise<void> => {
  visits += 1;
  await owner.type('device', 'add', `phone-${visits}`, '--service', 'shop', '--no-wait');
};
const reachesWith = (reachable: string, vantage: string) =>
  expect.poll(wireguard, { timeout: 15_000, interval: 200 }).toMatchObject({ reachable, vantage });
const detail = async (): Promise<string> =>
  (await wireguard())?.conditions.find(({ type }) => type === 'Reachable')?.message ?? '';

it('says no when the router stops to forward, and yes again when it does', async () => {
  await lab.node('router').run(['nft', 'flush', 'chain', 'ip', 'nat', 'prerouting'], { signal });
  await visitNow();
  await reachesWith('no', 'relay');
  expect(await detail()).toContain('nothing comes back from UDP 11.2.0.2:51820, says the relay vps');
  const forward = 'iifname "uplink" udp dport 51820 dnat to 192.168.50.10:51820';
  const add = ['nft', 'add', 'rule', 'ip', 'nat', 'prerouting', ...forward.split(' ')] as const;
  await lab.node('router').run([...add], { signal });
  await visitNow();
  await reachesWith('yes', 'relay');
}, 40_000);

it('knows nothing while the relay does not answer, and is looked at again when it does', async () => {
  await lab.node('vps').run(['pkill', '-f', 'relay up'], { signal });
  expect(await owner.type('relay', 'list')).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining('! vps: the relay at 11.1.0.2:7443 cannot be used'),
  });
  await visitNow();
  await reachesWith('unknown', 'none');
  expect(await detail()).toContain('no relay could look: the relay at 11.1.0.2:7443 cannot be used');
  await startRelay();
  await said(/"listening":.*"homes":1,"invite":null/);
  await visitNow();
  await reachesWith('yes', 'relay');
}, 40_000);

it('is left on both sides, with its key', async () => {
  const home = /home: ([0-9a-f]{16})/.exec(await owner.config())?.[1] ?? '';
  const homes = join(lab.node('vps').directory, 'relay', 'homes');
  expect(await readdir(homes)).toEqual([home]);
  const key = owner.file('lib', 'keys', 'relay', 'vps.key');
  expect((await stat(key)).mode & 0o777).toBe(0o600);
  expect((await owner.type('relay', 'remove', 'vps')).exitCode).toBe(0);
  expect(await readdir(homes)).toEqual([]);
  await expect(stat(key)).rejects.toThrow('ENOENT');
  expect(await owner.config()).not.toContain(home);
  expect(await owner.type('relay', 'remove', 'vps')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('RelayUnknown: there is no relay vps'),
  });
}, 20_000);
