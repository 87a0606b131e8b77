import { chmod, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { DeviceStatus } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Phone } from '../../src/lab/actors/phone.ts';
import { startLab, type Lab } from '../../src/lab/index.ts';
import { Owner } from '../support/owner.ts';

/** An LND that only devices reach; a phone's wallet with a macaroon of its own, from the code to the end of it. */
let lab: Lab;
let owner: Owner;
let phone: Phone;
const signal = AbortSignal.timeout(280_000);
const NODE = '/opt/gateway/node_modules/.bin/node';
const FAKE = '/opt/gateway/test/support/lightning/main.ts';
const own = (name: string): string => owner.file('etc', 'lnd', name);

async function startLnd(): Promise<void> {
  const { gateway } = owner;
  const argv = ['service', 'run', 'lnd', '--', NODE, FAKE, '8080', own('tls.key'), own('tls.cert')];
  await gateway.node.detach(gateway.argv(...argv), { logFile: join(gateway.node.directory, 'lnd.log') });
  const made = owner.file('lib', 'services', 'lnd');
  await vi.waitFor(async () => expect(await owner.home('ls', made)).toContain('gateway.macaroon'), 20_000);
}

beforeAll(async () => {
  lab = await startLab('demo', { signal });
  phone = new Phone(lab.node('phone'));
  const config = `wireguard: { endpoint: 11.2.0.2:51820 }
services:
  lnd:
    port: 8080
    kind: lnd
    expose: { wireguard: {} }
    node: { macaroon: ROOT/gateway.macaroon, certificate: ROOT/tls.cert }
`;
  const gateway = await LabGateway.prepare(lab, 'home', '');
  owner = new Owner(gateway, signal);
  await mkdir(own(''), { mode: 0o755 });
  await gateway.node.run(['tee', owner.file('etc', 'gateway.yaml')], {
    signal,
    input: config.replaceAll('ROOT', own('').replace(/\/$/, '')),
  });
  await gateway.node.run(
    [
      'openssl',
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '30',
      '-subj',
      '/O=lnd',
      '-keyout',
      own('tls.key'),
      '-out',
      own('tls.cert'),
    ],
    { signal },
  );
  await chmod(own('tls.key'), 0o644);
  await chmod(own('tls.cert'), 0o644);
  await owner.type('up');
  await startLnd();
  const made = owner.file('lib', 'services', 'lnd', 'gateway.macaroon');
  await owner.home('install', '--mode=400', '--owner=gateway', made, own('gateway.macaroon'));
}, 60_000);
afterAll(() => lab?.stop());

/** As a wallet asks with what it scanned: what LND answers. */
async function wallet(code: string, path: string, ...more: string[]): Promise<string> {
  const url = new URL(code.replace('lndconnect://', 'https://'));
  const macaroon = Buffer.from(url.searchParams.get('macaroon') ?? '', 'base64url').toString('hex');
  const argv = [
    'curl',
    '-sSk',
    '--max-time',
    '8',
    '-H',
    `Grpc-Metadata-macaroon: ${macaroon}`,
    ...more,
  ] as const;
  const { stdout, exitCode } = await phone.node.run(['curl', ...argv.slice(1), `${url.origin}${path}`], {
    signal,
    accept: [0, 7, 28],
  });
  return exitCode === 0 ? stdout : `curl ended with ${exitCode}`;
}

let code = '';
it('makes a macaroon for the phone, which does what its rights say, through the tunnel', async () => {
  const png = join(lab.directory, 'tunnel.png');
  const added = await owner.type('device', 'add', 'phone', '--service', 'lnd', '--no-wait', '--png', png);
  expect(added.stdout).toContain('For a wallet on it: gateway qr lnd --wallet zeus --device phone');
  await phone.scan(png, signal);
  const picture = join(lab.directory, 'wallet.png');
  const argv = [
    'qr',
    'lnd',
    '--wallet',
    'zeus',
    '--device',
    'phone',
    '--rights',
    'invoice',
    '--png',
    picture,
  ];
  expect(await owner.type(...argv)).toMatchObject({ exitCode: 0, stderr: '' });
  expect((await stat(picture)).mode & 0o777).toBe(0o600);
  const scanned = await phone.node.run(['zbarimg', '-q', '--raw', '--nodbus', picture], { signal });
  code = scanned.stdout.trim();
  expect(code).toMatch(/^lndconnect:\/\/10\.64\.1\.2:8080\?macaroon=[A-Za-z0-9_-]+$/);
  expect(await wallet(code, '/v1/getinfo')).toContain('{"done":"GET /v1/getinfo"');
  expect(await wallet(code, '/v1/invoices', '-X', 'POST')).toBe('{"done":"POST /v1/invoices"}');
  expect(await wallet(code, '/v1/channels/transactions', '-X', 'POST')).toContain('permission denied');
  const [device] = await owner.json<DeviceStatus[]>('device', 'list');
  expect(device?.wallets).toEqual([{ service: 'lnd', kind: 'macaroon', rights: 'invoice' }]);
}, 60_000);

it('keeps it nowhere', async () => {
  const secret = code.split('macaroon=')[1] ?? '';
  for (const text of [secret, Buffer.from(secret, 'base64url').toString('hex'), secret.slice(0, 60)]) {
    expect(await owner.home('grep', '-rlF', '-D', 'skip', '--', text, owner.gateway.root)).toBe('');
  }
});

it('has the node refuse it once the phone is revoked, also when the node hung at that moment', async () => {
  // The node hangs.
  await owner.home('touch', owner.file('lib', 'services', 'lnd', 'off'));
  await owner.type(
    'device',
    'add',
    'tablet',
    '--service',
    'lnd',
    '--no-wait',
    '--conf',
    join(lab.directory, 'conf'),
  );
  const revoked = await owner.type('device', 'revoke', 'phone');
  expect(revoked.exitCode).toBe(0);
  expect(revoked.stdout).toMatch(
    /^Revoked phone: its keys work no more\.\n! the macaroon of phone for lnd still works: the node at 10\.64\.1\.2:8080 did not answer within 10 s; it is tried again/,
  );
  expect((await owner.type('status')).stdout).toContain('! the macaroon of phone for lnd still works');
  await owner.home('rm', owner.file('lib', 'services', 'lnd', 'off'));
  await owner.until('the macaroon taken back', ({ notices }) => !notices.join().includes('macaroon'));
  // Whoever holds the macaroon and gets to the node some other way is refused.
  const macaroon = Buffer.from(code.split('macaroon=')[1] ?? '', 'base64url').toString('hex');
  const asked = await owner.home(
    'ip',
    'netns',
    'exec',
    'gw-lnd',
    'curl',
    '-sSk',
    '-H',
    `Grpc-Metadata-macaroon: ${macaroon}`,
    'https://10.64.1.2:8080/v1/getinfo',
  );
  expect(asked).toContain('root key with id doesn');
}, 60_000);
