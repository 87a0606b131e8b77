import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { encodeKey, renderConf } from '../../src/wire/wireguard.ts';
import { cliGateway } from '../support/cli-gateway.ts';
import { device } from '../support/recording-control.ts';

const key = (fill: number): string => encodeKey(new Uint8Array(32).fill(fill));
const drafts: unknown[] = [];
let directory: string;
let gateway: Awaited<ReturnType<typeof cliGateway>>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-site-'));
  drafts.length = 0;
  gateway = await cliGateway({
    addDevice: (draft) => {
      drafts.push(draft);
      const text = renderConf({
        privateKey: draft.publicKey === undefined ? key(1) : undefined,
        address: '10.64.8.2',
        peerPublicKey: key(2),
        presharedKey: key(3),
        allowedIps: ['10.64.0.0/20'],
        endpoint: 'home.example.net:51820',
        persistentKeepaliveSeconds: 25,
      });
      const handout = {
        kind: 'wireguard-config',
        label: 'WireGuard',
        file: 'x.conf',
        secret: true,
        text,
      } as const;
      return Promise.resolve({ device: device(draft.name), handouts: [handout], notices: [] });
    },
  });
});
afterEach(async () => {
  await gateway.close();
  await rm(directory, { recursive: true });
});

const site = (...argv: string[]) => gateway.run('site', 'add', ...argv, '--dir', directory);

it('writes files that nobody else may read', async () => {
  const { exitCode, stdout } = await site('webshop', '--service', 'btcpay', '--format', 'networkd');
  expect(exitCode).toBe(0);
  expect(drafts).toEqual([{ name: 'webshop', services: ['btcpay'] }]);
  expect((await readdir(directory)).sort()).toEqual(['webshop.netdev', 'webshop.network']);
  for (const name of await readdir(directory)) {
    expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
  }
  expect(await readFile(join(directory, 'webshop.netdev'), 'utf8')).toContain(`PrivateKey=${key(1)}`);
  expect(stdout).toContain('/etc/systemd/network');
  expect(stdout).not.toContain(key(1));
});

it('takes the public key of the server, and then knows no private one', async () => {
  const { exitCode, stdout } = await site(
    'webshop',
    '-s',
    'lnd',
    '--public-key',
    key(4),
    '--format',
    'nixos',
  );
  expect(exitCode).toBe(0);
  expect(drafts).toEqual([{ name: 'webshop', services: ['lnd'], publicKey: key(4) }]);
  expect((await readdir(directory)).sort()).toEqual(['webshop.nix', 'webshop.psk']);
  expect(stdout).toContain('put it into /etc/wireguard/webshop.key');
});

it('names the services that may connect to it', async () => {
  const { exitCode } = await site('webshop', '-s', 'btcpay', '--from-service', 'btcpay:8080');
  expect(exitCode).toBe(0);
  const reachedBy = [{ service: 'btcpay', port: 8080 }];
  expect(drafts).toEqual([{ name: 'webshop', services: ['btcpay'], reachedBy }]);
});

it('adds nothing when a file is in the way, and leaves that as it is', async () => {
  await writeFile(join(directory, 'webshop.network'), 'mine');
  const { exitCode, stderr } = await site('webshop', '-s', 'lnd', '--format', 'networkd');
  expect(exitCode).toBe(1);
  expect(stderr).toContain('webshop.network');
  expect(drafts).toEqual([]);
  expect(await readdir(directory)).toEqual(['webshop.network']);
});

it.each([
  [['webshop'], '--service is missing'],
  [['webshop', '-s', 'lnd', '--format', 'ini'], 'there is no format ini'],
  [['webshop', '-s', 'lnd', '--from-service', 'btcpay'], 'is not SERVICE:PORT'],
  [['a-much-too-long-name', '-s', 'lnd'], 'longer than 15 characters'],
])('refuses %j', async (argv, message) => {
  const { exitCode, stderr } = await site(...argv);
  expect(exitCode).toBe(64);
  expect(stderr).toContain(message);
  expect(await readdir(directory)).toEqual([]);
});

it.each(['../x', 'a b', 'x;reboot', 'UPPER'])('refuses the name %j without leaving a file', async (name) => {
  const { exitCode } = await site(name, '-s', 'lnd');
  expect(exitCode).not.toBe(0);
  expect(await readdir(directory)).toEqual([]);
});
