import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Enrolled } from '../../src/core/control.ts';
import type { JournalEvent } from '../../src/core/events.ts';
import type { DeviceStatus } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Phone } from '../../src/lab/actors/phone.ts';
import { TorVisitor } from '../../src/lab/actors/visitor.ts';
import { startLab, type Lab } from '../../src/lab/index.ts';
import { Owner } from '../support/owner.ts';

/** A phone with one code for ever, which is given services and has them taken away again. */
const CONFIG = `wireguard: { endpoint: 11.2.0.2:51820 }
services:
  shop: { port: 80, kind: http, expose: { wireguard: {} } }
  wiki: { port: 81, kind: http, expose: { wireguard: {} } }
  club: { port: 82, kind: http, expose: { tor: { authorization: required } } }
  vault: { port: 83, kind: http, expose: { tor: { authorization: required } } }
`;
let lab: Lab;
let owner: Owner;
let phone: Phone;
let visitor: TorVisitor;
let keys = '';
const signal = AbortSignal.timeout(280_000);

beforeAll(async () => {
  lab = await startLab('demo', { signal });
  phone = new Phone(lab.node('phone'));
  keys = join(lab.directory, 'phone-keys');
  await mkdir(keys, { mode: 0o700 });
  owner = new Owner(await LabGateway.prepare(lab, 'home', CONFIG), signal);
  await owner.type('up');
  for (const [index, name] of ['shop', 'wiki', 'club', 'vault'].entries()) {
    await owner.gateway.runShop(name, 80 + index);
  }
}, 90_000);
afterAll(() => lab?.stop());

const addressOf = async (name: string): Promise<string> => {
  const { services } = await owner.gateway.status(signal);
  const service = services.find((one) => one.name === name);
  return service?.ways[0]?.address ?? '';
};

/**
 * A slow download; `ended` tells how curl ended: 0, or 28 when nothing came any more. Some 24 MB wait in the phone's own
 * buffers: what is to be seen cut must be larger.
 */
function download(url: string, name: string, bytes: number) {
  const file = join(phone.node.directory, name);
  const argv = ['curl', '-sS', '--fail', '--limit-rate', '2M', '--speed-limit', '1', '--speed-time', '4'];
  const ended = phone.node.run(['curl', ...argv.slice(1), '-o', file, `${url}/download?bytes=${bytes}`], {
    signal,
    timeoutMs: 60_000,
    accept: [0, 7, 28, 56],
  });
  const size = async (): Promise<number> => (await stat(file).catch(() => ({ size: 0 }))).size;
  return { ended, flows: () => expect.poll(size, { timeout: 10_000 }).toBeGreaterThan(1_000_000) };
}

it('a grant opens a service to a phone that goes on with its old code', async () => {
  const [shop, wiki] = [await addressOf('shop'), await addressOf('wiki')];
  const png = join(lab.directory, 'phone.png');
  await owner.type('device', 'add', 'phone', '--service', 'shop', '--no-wait', '--png', png);
  await phone.scan(png, signal);
  expect(await phone.open(shop, signal)).toContain('The corner shop');
  await expect(phone.open(wiki, signal, 3)).rejects.toThrow(/curl/);
  const granted = await owner.type('device', 'grant', 'phone', '--service', 'wiki');
  expect(granted).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('It needs no new code.') });
  expect(granted.stdout).not.toContain('PrivateKey');
  expect(await phone.open(wiki, signal)).toContain('The corner shop');
  const [device] = await owner.json<DeviceStatus[]>('device', 'list');
  expect(device?.services).toEqual(['shop', 'wiki']);
  const again = await owner.json<Enrolled>('device', 'grant', 'phone', '--service', 'wiki');
  expect(again.handouts).toEqual([]);
}, 60_000);

it('taking it away cuts what is open with it at once, and nothing else', async () => {
  const [shop, wiki] = [await addressOf('shop'), await addressOf('wiki')];
  const [kept, cut] = [download(shop, 'kept', 24_000_000), download(wiki, 'cut', 96_000_000)];
  await Promise.all([kept.flows(), cut.flows()]);
  const ungranted = await owner.type('device', 'ungrant', 'phone', '--service', 'wiki');
  expect(ungranted).toMatchObject({ exitCode: 0, stdout: 'Taken away from phone: wiki.\n' });
  const [keptEnded, cutEnded] = await Promise.all([kept.ended, cut.ended]);
  expect([keptEnded.exitCode, cutEnded.exitCode]).toEqual([0, 28]);
  await expect(phone.open(wiki, signal, 3)).rejects.toThrow(/curl/);
  const last = await owner.type('device', 'ungrant', 'phone', '--service', 'shop');
  expect(last).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('gateway device revoke phone') });
  const events = await owner.json<JournalEvent[]>('events');
  const said = events.filter(({ type }) => type.startsWith('device.')).map(({ message }) => message);
  expect(said).toContain('device phone was given wiki');
  expect(said.at(-1)).toBe('wiki was taken away from device phone');
}, 60_000);

it('makes a key for a way in that the phone had none for, once; it opens the next such service too', async () => {
  const club = await addressOf('club');
  const first = await owner.type('device', 'grant', 'phone', '--service', 'club', '--onion-dir', keys);
  expect(first).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('phone-club.auth_private') });
  const next = await owner.json<Enrolled>('device', 'grant', 'phone', '--service', 'vault');
  expect(next.handouts.map(({ kind, secret }) => [kind, secret])).toEqual([['link', false]]);
  const vault = next.handouts[0]?.text ?? '';
  const line = await readFile(join(keys, 'phone-club.auth_private'), 'utf8');
  const own = line.replace(
    new URL(club).host.replace('.onion', ''),
    new URL(vault).host.replace('.onion', ''),
  );
  await writeFile(join(keys, 'vault.auth_private'), own, { mode: 0o600 });
  const options = { folder: 'tor-phone', socksPort: 9077, clientKeys: keys };
  visitor = await TorVisitor.start(lab, 'visitor', options);
  await visitor.bootstrapped(signal);
  const isIn = (url: string, who: string): Promise<boolean> =>
    visitor.node.run(visitor.curl(`${url}/`, who, '--max-time', '20'), { signal, timeoutMs: 70_000 }).then(
      ({ stdout }) => stdout.includes('The corner shop'),
      () => false,
    );
  await expect.poll(() => isIn(club, 'a'), { timeout: 60_000 }).toBe(true);
  await expect.poll(() => isIn(vault, 'a'), { timeout: 60_000 }).toBe(true);
  // The circuit that is open goes with it.
  await owner.type('device', 'ungrant', 'phone', '--service', 'vault');
  await expect.poll(() => isIn(vault, 'a'), { timeout: 20_000 }).toBe(false);
  expect(await isIn(vault, 'fresh')).toBe(false);
  expect(await isIn(club, 'a')).toBe(true);
}, 150_000);
