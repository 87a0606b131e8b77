import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import { cliGateway } from '../support/cli-gateway.ts';
import { recordingControl } from '../support/recording-control.ts';
import { zxing } from '../support/zxing.ts';

const KEYS = [1, 2].map((byte) => Buffer.alloc(32, byte).toString('base64'));
const CONF = `[Interface]\nPrivateKey = secret\n\n# Client: Alice \u001b[31m (1)\n[Peer]\nPublicKey = ${KEYS[0]}\nAllowedIPs = 10.8.0.2/32\n\n# bob\n[Peer]\nPublicKey = ${KEYS[1]}\n`;

let gateway: Awaited<ReturnType<typeof cliGateway>>;
let directory: string;
let file: string;
let codes: string;
beforeEach(async () => {
  gateway = await cliGateway();
  directory = await mkdtemp(join(tmpdir(), 'gw-import-'));
  [file, codes] = [join(directory, 'wg0.conf'), join(directory, 'codes')];
  await writeFile(file, CONF);
});
afterEach(async () => {
  await gateway.close();
  await rm(directory, { recursive: true });
});

it('--dry-run says what becomes of each peer, and changes nothing', async () => {
  const { exitCode, stdout } = await gateway.run('device', 'import', file, '-s', 'shop', '--dry-run');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    /^DEVICE +WAS CALLED +WAS AT +KEY\nalice-31m +"Alice \\u001b\[31m" +"10\.8\.0\.2\/32" +new\nbob /,
  );
  expect(stdout).toContain('the old configuration does not work here');
  expect(stdout).toContain('Nothing was changed.');
  expect(stdout).not.toContain('\u001b');
  expect(gateway.calls).toEqual([]);
});

it('adds each as a device and writes its configuration and code, readable by their owner alone', async () => {
  const { exitCode, stdout } = await gateway.run('device', 'import', file, '-s', 'shop', '--dir', codes);
  expect(exitCode).toBe(0);
  expect(stdout).toContain(`2 added; their files, readable by you alone, are in ${codes}.`);
  expect(stdout).not.toContain('PrivateKey');
  expect(gateway.calls).toEqual([
    ['addDevice', { name: 'alice-31m', services: ['shop'] }],
    ['addDevice', { name: 'bob', services: ['shop'] }],
  ]);
  expect(await readdir(codes)).toEqual(['alice-31m.conf', 'alice-31m.png', 'bob.conf', 'bob.png']);
  const conf = await readFile(join(codes, 'bob.conf'), 'utf8');
  expect((await stat(join(codes, 'bob.conf'))).mode & 0o777).toBe(0o600);
  expect((await zxing(await readFile(join(codes, 'bob.png')))).trim()).toBe(conf.trim());
});

it('with --keep-keys the devices go by their own keys', async () => {
  await gateway.run('device', 'import', file, '-s', 'shop', '--dir', codes, '--keep-keys');
  expect(gateway.calls).toEqual([
    ['addDevice', { name: 'alice-31m', services: ['shop'], publicKey: KEYS[0] }],
    ['addDevice', { name: 'bob', services: ['shop'], publicKey: KEYS[1] }],
  ]);
  expect(await readdir(codes)).toEqual(['alice-31m.conf', 'bob.conf']);
});

it('one that cannot be added is named, leaves no file, and stops no other', async () => {
  const { control: before } = recordingControl();
  gateway.control.addDevice = (draft, progress, signal) =>
    draft.name === 'bob'
      ? before.addDevice(draft, progress, signal)
      : Promise.reject(new GatewayError('taken', { code: 'AlreadyExists' }));
  const { exitCode, stdout } = await gateway.run('device', 'import', file, '-s', 'shop', '--dir', codes);
  expect([exitCode, await readdir(codes)]).toEqual([1, ['bob.conf', 'bob.png']]);
  expect(stdout).toContain('1 added;');
  expect(stdout).toContain('! alice-31m: taken');
});

it('adds nothing when its files cannot be written', async () => {
  await gateway.run('device', 'import', file, '-s', 'shop', '--dir', codes);
  const again = await gateway.run('device', 'import', file, '-s', 'shop', '--dir', codes);
  expect(again).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('already and was not touched'),
  });
  expect(gateway.calls).toHaveLength(2);
});

it('reads the database of wg-easy 15, and tells one of something else', async () => {
  const path = join(directory, 'wg-easy.db');
  const database = new DatabaseSync(path);
  database.exec(
    'CREATE TABLE clients_table (id INTEGER PRIMARY KEY, name, public_key, ipv4_address, enabled)',
  );
  database
    .prepare('INSERT INTO clients_table VALUES (1, ?, ?, ?, 1)')
    .run('Alice', KEYS[0] ?? '', '10.8.0.2');
  database.close();
  const { exitCode, stdout } = await gateway.run('device', 'import', path, '-s', 'shop', '--dry-run');
  expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^alice +"Alice" +"10\.8\.0\.2" +new$/m)]);
  await writeFile(file, 'SQLite format 3\0');
  const other = await gateway.run('device', 'import', file, '-s', 'shop', '--dry-run');
  expect(other).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('no database of wg-easy') });
});
