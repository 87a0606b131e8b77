import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { environmentOutside } from '../../src/lab/places.ts';
import { run } from '../../src/system/run.ts';
import { cliGateway } from '../support/cli-gateway.ts';
import { ADMIN_MACAROON, makeMacaroon } from '../support/macaroons.ts';
import { MINTED_MACAROON, MINTED_RUNE, ONION, service, status } from '../support/recording-control.ts';
import { zxing } from '../support/zxing.ts';

const HOST = new URL(ONION).hostname;
const link = (label: string, text: string) =>
  ({ kind: 'link', label, file: label, secret: false, text }) as const;

let directory: string;
let gateway: Awaited<ReturnType<typeof cliGateway>>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-wallet-'));
  gateway = await cliGateway({
    handouts: (name) =>
      Promise.resolve([
        link(`${name} over Tor`, `tcp://${HOST}:8080`),
        link(`${name} over WireGuard`, 'tcp://10.64.1.2:8080'),
      ]),
  });
  const services = (['lnd', 'clnrest', 'electrum'] as const).map((kind) => ({ ...service(kind), kind }));
  gateway.world.status = status({ services });
});
afterEach(async () => {
  await gateway.close();
  await rm(directory, { recursive: true });
});

async function file(name: string, data: Uint8Array | string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, data);
  return path;
}

async function code(...argv: string[]): Promise<string> {
  const png = join(directory, 'code.png');
  await rm(png, { force: true });
  const { exitCode, stderr } = await gateway.run('qr', ...argv, '--png', png);
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
  expect((await stat(png)).mode & 0o777).toBe(0o600);
  const options = { signal: AbortSignal.timeout(10_000), env: environmentOutside() };
  const { stdout } = await run(['zbarimg', '-q', '--raw', '--nodbus', png], options);
  expect(await zxing(await readFile(png))).toBe(stdout.trimEnd());
  return stdout.trimEnd();
}

const WALLET = makeMacaroon({
  rootKeyId: '1001',
  permissions: { info: ['read'], invoices: ['read', 'write'], offchain: ['read', 'write'] },
});

describe('the code for a wallet', () => {
  it('of LND is lndconnect without a certificate, over an onion and over WireGuard', async () => {
    const path = await file('phone.macaroon', WALLET);
    const base64 = WALLET.toString('base64url');
    const argv = ['lnd', '--wallet', 'zeus', '--macaroon', path];
    expect(await code(...argv, '--via', 'tor')).toBe(`lndconnect://${HOST}:8080?macaroon=${base64}`);
    expect(await code(...argv, '--via', 'wireguard')).toBe(`lndconnect://10.64.1.2:8080?macaroon=${base64}`);
  });

  it('is made for a device, with the rights that were named, and is in no file', async () => {
    const lnd = ['lnd', '--wallet', 'zeus', '--via', 'wireguard', '--device', 'phone'];
    const base64 = MINTED_MACAROON.toString('base64url');
    expect(await code(...lnd, '--rights', 'pay')).toBe(`lndconnect://10.64.1.2:8080?macaroon=${base64}`);
    const cln = ['clnrest', '--via', 'tor', '--device', 'phone', '--wallet', 'cln'];
    expect(await code(...cln)).toBe(`clnrest+https://${HOST}:8080?rune=${encodeURIComponent(MINTED_RUNE)}`);
    expect(gateway.calls).toEqual([
      ['mintToken', 'phone', 'lnd', 'pay'],
      ['mintToken', 'phone', 'clnrest', 'read'],
    ]);
  });

  it('is not made when it could not be shown, or when two things were said', async () => {
    const argv = ['qr', 'lnd', '--wallet', 'zeus', '--device', 'phone'];
    const png = await file('there.png', 'mine');
    const results = [
      await gateway.run(...argv, '--via', 'tor', '--png', png),
      await gateway.run(...argv, '--png', join(directory, 'new.png')),
      await gateway.run(...argv, '--macaroon', png),
      await gateway.run(...argv, '--rights', 'everything'),
      await gateway.run('qr', 'lnd', '--wallet', 'zeus', '--rights', 'pay'),
    ];
    expect(results.map(({ exitCode }) => exitCode)).toEqual([1, 64, 64, 64, 64]);
    expect(gateway.calls).toEqual([]);
    expect(await readFile(png, 'utf8')).toBe('mine');
  });

  it('of Core Lightning has both forms', async () => {
    const rune = `${'aZ09-_'.repeat(8)}==`;
    const path = await file('rune', `${rune}\n`);
    const argv = ['clnrest', '--rune', path, '--via', 'wireguard', '--wallet'];
    const encoded = rune.replaceAll('=', '%3D');
    expect(await code(...argv, 'zeus')).toBe(`clnrest://10.64.1.2:8080?rune=${encoded}`);
    expect(await code(...argv, 'cln')).toBe(`clnrest+https://10.64.1.2:8080?rune=${encoded}`);
  });

  it('of an Electrum server is host, port and t or s', async () => {
    const argv = ['electrum', '--wallet', 'electrum', '--via', 'tor'];
    expect(await code(...argv)).toBe(`${HOST}:8080:t`);
    expect(await code(...argv, '--tls')).toBe(`${HOST}:8080:s`);
  });

  it('is drawn in the terminal, or said where it is too large for that', async () => {
    const path = await file('phone.macaroon', WALLET);
    const small = await gateway.run('qr', 'lnd', '--wallet', 'zeus', '--macaroon', path, '--via', 'tor');
    expect(small.exitCode).toBe(0);
    expect(small.stdout).toContain('▀');
    const admin = await file('admin.macaroon', ADMIN_MACAROON);
    const large = await gateway.run(
      'qr',
      'lnd',
      '--wallet',
      'zeus',
      '--macaroon',
      admin,
      '--via',
      'tor',
      '--force',
    );
    expect(large.exitCode).toBe(0);
    expect(large.stdout).toContain(ADMIN_MACAROON.toString('base64url'));
    expect(large.stderr).toContain('--png FILE');
  });
});

describe('what is refused', () => {
  it('is a macaroon for everything, unless it is forced', async () => {
    const path = await file('admin.macaroon', ADMIN_MACAROON);
    const argv = ['lnd', '--wallet', 'zeus', '--macaroon', path, '--via', 'tor'];
    const { exitCode, stderr, stdout } = await gateway.run('qr', ...argv);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('may make others for anything');
    expect(stderr).toContain('lncli bakemacaroon --root_key_id');
    expect(stdout).toBe('');
    expect(await code(...argv, '--force')).toContain('lndconnect://');
  });

  it.each([
    ['lnd', 'zeus', '--macaroon', ADMIN_MACAROON.toString('hex')],
    ['lnd', 'zeus', '--macaroon', 'secret-that-must-not-be-shown'],
    ['clnrest', 'cln', '--rune', 'secret that must not be shown'],
  ])('is a damaged file for %s, without its content in the message', async (name, wallet, option, text) => {
    const path = await file('damaged', text);
    const { exitCode, stderr } = await gateway.run('qr', name, '--wallet', wallet, option, path);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(path);
    expect(stderr).not.toContain(text);
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it.each([
    [['lnd', '--wallet', 'zeus'], '--macaroon is missing'],
    [['lnd', '--wallet', 'electrum'], 'for which electrum has no code'],
    [['lnd', '--wallet', 'phoenix'], 'no form for the wallet phoenix'],
  ])('is %j', async (argv, message) => {
    const { exitCode, stderr } = await gateway.run('qr', ...argv);
    expect(exitCode).toBe(64);
    expect(stderr).toContain(message);
  });
});
