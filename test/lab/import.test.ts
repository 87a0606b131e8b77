import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Phone } from '../../src/lab/actors/phone.ts';
import { startLab, type Lab, type LabNode } from '../../src/lab/index.ts';
import { Owner } from '../support/owner.ts';

/** A home whose plain wg-quick server gives way to the gateway, and a phone that was its peer. */
const CONFIG = `wireguard: { endpoint: 11.2.0.2:51820 }
services:
  shop: { port: 80, kind: http, expose: { wireguard: {} } }
`;
const signal = AbortSignal.timeout(120_000);
let lab: Lab;
let owner: Owner;
let phone: Phone;
let serverConf = '';
let phoneConf = '';
let phoneKey = '';

const wg = async (node: LabNode, input: string | undefined, ...argv: string[]): Promise<string> => {
  const { stdout } = await node.run(['wg', ...argv], { signal, ...(input === undefined ? {} : { input }) });
  return stdout.trim();
};
const wgQuick = (node: LabNode, verb: 'up' | 'down', conf: string) =>
  node.run(
    ['env', '--unset=LOG_LEVEL', 'WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go', 'wg-quick', verb, conf],
    { signal },
  );
const keyPair = async (node: LabNode): Promise<{ secret: string; key: string }> => {
  const secret = await wg(node, undefined, 'genkey');
  return { secret, key: await wg(node, `${secret}\n`, 'pubkey') };
};

beforeAll(async () => {
  lab = await startLab('demo', { signal });
  const home = lab.node('home');
  phone = new Phone(lab.node('phone'));
  const [server, peer] = [await keyPair(home), await keyPair(phone.node)];
  phoneKey = peer.key;
  await mkdir(join(home.directory, 'old'), { mode: 0o700 });
  serverConf = join(home.directory, 'old', 'wg0.conf');
  await writeFile(
    serverConf,
    `[Interface]\nPrivateKey = ${server.secret}\nAddress = 10.8.0.1/24\nListenPort = 51820\n
# Alice's Phone\n[Peer]\nPublicKey = ${peer.key}\nAllowedIPs = 10.8.0.2/32\n`,
    { mode: 0o600 },
  );
  phoneConf = join(phone.node.directory, 'wgold.conf');
  await writeFile(
    phoneConf,
    `[Interface]\nPrivateKey = ${peer.secret}\nAddress = 10.8.0.2/32\n
[Peer]\nPublicKey = ${server.key}\nAllowedIPs = 10.8.0.0/24\nEndpoint = 11.2.0.2:51820\n`,
    { mode: 0o600 },
  );
  await wgQuick(home, 'up', serverConf);
  owner = new Owner(await LabGateway.prepare(lab, 'home', CONFIG), signal);
}, 60_000);
afterAll(() => lab?.stop());

it('was a peer of the old server', async () => {
  await wgQuick(phone.node, 'up', phoneConf);
  const { stdout } = await phone.node.run(['ping', '-c', '1', '-W', '5', '10.8.0.1'], { signal });
  expect(stdout).toContain('1 received');
  await wgQuick(phone.node, 'down', phoneConf);
}, 30_000);

it('says what cannot be kept, imports it, and lets it in with its new code', async () => {
  const words = ['device', 'import', serverConf, '--service', 'shop'];
  await wgQuick(owner.gateway.node, 'down', serverConf);
  expect((await owner.type('up')).exitCode).toBeLessThan(64);
  await owner.gateway.runShop('shop', 80);
  const plan = await owner.type(...words, '--dry-run');
  expect(plan.stdout).toMatch(/^alice-s-phone +"Alice's Phone" +"10\.8\.0\.2\/32" +new$/m);
  expect(plan.stdout).toContain('the old configuration does not work here');
  const codes = join(owner.gateway.node.directory, 'codes');
  const done = await owner.type(...words, '--dir', codes);
  expect(done).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('1 added;') });
  const { services, devices } = await owner.gateway.status(signal);
  expect(devices.map(({ name }) => name)).toEqual(['alice-s-phone']);
  const scanned = await phone.scan(join(codes, 'alice-s-phone.png'), signal);
  expect(scanned).not.toContain('10.8.0.');
  expect(await phone.open(services[0]?.ways[0]?.address ?? '', signal)).toContain('The corner shop');
  await phone.leave(signal);
}, 60_000);

it('goes on with its own key where the owner wants that', async () => {
  await owner.type('device', 'revoke', 'alice-s-phone');
  const codes = join(owner.gateway.node.directory, 'kept');
  const words = ['device', 'import', serverConf, '--service', 'shop', '--dir', codes, '--keep-keys'];
  expect((await owner.type(...words)).exitCode).toBe(0);
  const hub = ['nsenter', '--net=/run/netns/gw-hub', 'wg', 'show', 'gwwg0', 'peers'] as const;
  const { stdout } = await owner.gateway.node.run([...hub], { signal });
  expect(stdout).toContain(phoneKey);
}, 30_000);
