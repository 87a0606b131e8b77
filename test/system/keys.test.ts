import { chmod, mkdtemp, readdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { createKeys, memoryRegistry } from '../../src/system/keys.ts';

let directory: string;
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'keys-')), 'keys');
});
afterEach(() => rm(join(directory, '..'), { recursive: true, force: true }));

const open = (registry = memoryRegistry()) => createKeys({ directory, registry, crypto: nodeCrypto });
const file = (name: string): string => join(directory, `${name}.key`);
const code = (word: string, message: RegExp) =>
  expect.objectContaining({ code: word, message: expect.stringMatching(message) as unknown });

it('gives the same key ever after, in a file that only its owner reads', async () => {
  const registry = memoryRegistry();
  const first = await open(registry).ensure('tor/shop', 'ed25519-expanded');
  const again = await open(registry).ensure('tor/shop', 'ed25519-expanded');
  expect(again.reveal()).toEqual(first.reveal());
  expect((await stat(file('tor/shop'))).mode & 0o777).toBe(0o600);
  expect((await stat(join(directory, 'tor'))).mode & 0o777).toBe(0o700);
  expect(await readdir(join(directory, 'tor'))).toEqual(['shop.key']);
});

it('gives two callers at once the same key', async () => {
  const keys = open();
  const [a, b] = await Promise.all([keys.ensure('wg', 'curve25519'), keys.ensure('wg', 'curve25519')]);
  expect(a.reveal()).toEqual(b.reveal());
});

it('says KeyCorrupt for a file cut at any byte, and leaves it as it is', async () => {
  const registry = memoryRegistry();
  await open(registry).ensure('tor/shop', 'ed25519-expanded');
  const whole = await readFile(file('tor/shop'));
  for (let length = 0; length < whole.length; length += 1) {
    await writeFile(file('tor/shop'), whole.subarray(0, length));
    await expect(open(registry).ensure('tor/shop', 'ed25519-expanded')).rejects.toEqual(
      code('KeyCorrupt', /tor\/shop\.key/),
    );
    expect(await readFile(file('tor/shop'))).toEqual(whole.subarray(0, length));
  }
});

it('says KeyCorrupt for any byte that changed', async () => {
  const registry = memoryRegistry();
  await open(registry).ensure('wg', 'curve25519');
  const whole = await readFile(file('wg'));
  for (let index = 0; index < whole.length; index += 1) {
    const damaged = Buffer.from(whole);
    damaged[index] = (damaged[index] ?? 0) ^ 1;
    await writeFile(file('wg'), damaged);
    await expect(open(registry).ensure('wg', 'curve25519')).rejects.toEqual(code('KeyCorrupt', /wg\.key/));
  }
});

it('reads a file again that was changed since, and only then', async () => {
  const keys = open();
  const name = 'wireguard/interface';
  const first = await keys.ensure(name, 'curve25519');
  await new Promise((resolve) => setTimeout(resolve, 150));
  const kept = await keys.read(name, 'curve25519');
  expect(await keys.read(name, 'curve25519')).toBe(kept);
  expect(kept?.reveal()).toEqual(first.reveal());
  const bytes = await readFile(file(name));
  bytes[bytes.length - 3] = (bytes[bytes.length - 3] ?? 0) ^ 1;
  await writeFile(file(name), bytes);
  await expect(keys.read(name, 'curve25519')).rejects.toMatchObject({ code: 'KeyCorrupt' });
});

it('says KeyCorrupt, without the registry too, for a key of another type', async () => {
  await open().ensure('device/alice', 'curve25519');
  await expect(open().ensure('device/alice', 'preshared')).rejects.toEqual(code('KeyCorrupt', /curve25519/));
});

it('says KeyCorrupt when a whole key takes the place of the one in use', async () => {
  const registry = memoryRegistry();
  const keys = open(registry);
  await keys.ensure('a', 'preshared');
  await keys.ensure('b', 'preshared');
  await writeFile(file('a'), await readFile(file('b')));
  await expect(keys.ensure('a', 'preshared')).rejects.toEqual(code('KeyCorrupt', /another key/));
});

it('says KeyMissing for a key that was in use, and makes none', async () => {
  const registry = memoryRegistry();
  await open(registry).ensure('tor/shop', 'ed25519-expanded');
  await unlink(file('tor/shop'));
  await expect(open(registry).ensure('tor/shop', 'ed25519-expanded')).rejects.toEqual(
    code('KeyMissing', /tor\/shop/),
  );
  expect(await readdir(join(directory, 'tor'))).toEqual([]);
});

it('adopts a whole file when the registry was lost', async () => {
  const first = await open().ensure('tor/shop', 'ed25519-expanded');
  const registry = memoryRegistry();
  expect((await open(registry).ensure('tor/shop', 'ed25519-expanded')).reveal()).toEqual(first.reveal());
  expect(registry.fingerprint('tor/shop')).toBeDefined();
});

it('forgets a key only on purpose, and finishes a removal that was cut short', async () => {
  const registry = memoryRegistry();
  const keys = open(registry);
  const first = await keys.ensure('device/alice', 'preshared');
  await keys.remove('device/alice');
  expect(await keys.read('device/alice', 'preshared')).toBeUndefined();
  const second = await keys.ensure('device/alice', 'preshared');
  expect(second.reveal()).not.toEqual(first.reveal());
  await writeFile(`${file('device/alice')}.removed`, await readFile(file('device/alice')));
  await unlink(file('device/alice'));
  expect(await keys.read('device/alice', 'preshared')).toBeUndefined();
  expect(await readdir(join(directory, 'device'))).toEqual([]);
});

it('stores a given secret once, and never over another', async () => {
  const keys = open();
  const secret = new Secret(nodeCrypto.random(32));
  await keys.put('device/alice', 'preshared', secret);
  await keys.put('device/alice', 'preshared', secret);
  expect((await keys.read('device/alice', 'preshared'))?.reveal()).toEqual(secret.reveal());
  await expect(keys.put('device/alice', 'preshared', new Secret(nodeCrypto.random(32)))).rejects.toEqual(
    code('AlreadyExists', /device\/alice/),
  );
});

it('refuses a name that leads out of its directory', async () => {
  for (const name of ['../x', 'a/../b', '/etc/shadow', 'a//b', '', 'A', 'a.b']) {
    await expect(open().ensure(name, 'preshared')).rejects.toThrow(TypeError);
  }
});

it.skipIf(process.getuid?.() === 0)('names the file when the disk refuses', async () => {
  await open().ensure('wg', 'curve25519');
  await chmod(directory, 0o500);
  await expect(open().ensure('other', 'curve25519')).rejects.toEqual(code('PermissionDenied', /other/));
});

it('says KeyCorrupt, and not something about types, for an empty file', async () => {
  await open().ensure('wg', 'curve25519');
  await truncate(file('wg'), 0);
  await expect(open().read('wg', 'curve25519')).rejects.toEqual(code('KeyCorrupt', /empty/));
});
