import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { collect, pack, unpack } from '../../../src/system/backup/contents.ts';
import { place } from '../../../src/system/backup/place.ts';
import { seal, unseal } from '../../../src/system/backup/seal.ts';
import { nodeCrypto } from '../../../src/system/crypto.ts';
import { directoriesIn, pathsOf } from '../../../src/system/directories.ts';
import { createKeys } from '../../../src/system/keys.ts';
import { openStore } from '../../../src/system/store/index.ts';

let top: string;
const signal = AbortSignal.timeout(60_000);
const PASSPHRASE = 'correct horse battery';
const CONFIG = '# mine\nservices:\n  shop: { port: 80 }\n';

beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'gw-backup-'));
});
afterEach(() => rm(top, { recursive: true }));

function at(name: string) {
  const directories = directoriesIn(join(top, name));
  return { directories, paths: pathsOf(directories) };
}
type Place = ReturnType<typeof at>;

async function open({ directories, paths }: Place) {
  for (const directory of Object.values(directories)) await mkdir(directory, { recursive: true });
  const store = openStore({ database: paths.database, snapshot: paths.snapshot });
  return { store, keys: createKeys({ directory: paths.keys, registry: store, crypto: nodeCrypto }) };
}

/** A gateway with a device, an onion key and lines for tor. */
async function lived(): Promise<Place> {
  const home = at('home');
  const { store, keys } = await open(home);
  await store.commit({
    putDevices: [
      { name: 'phone', services: ['shop'], publicKey: 'pub', addedAt: '2026-01-01T00:00:00.000Z' },
    ],
    addGeneration: { config: CONFIG, appliedAt: '2026-01-01T00:00:00.000Z' },
  });
  await keys.ensure('tor/shop', 'ed25519-expanded');
  await keys.ensure('wireguard', 'curve25519');
  store.close();
  await writeFile(home.paths.configFile, CONFIG);
  await mkdir(home.paths.torrcDirectory);
  await writeFile(join(home.paths.torrcDirectory, 'bridges.conf'), 'UseBridges 0\n');
  return home;
}

const secretOf = async (where: Place, name: string, type: 'curve25519' | 'ed25519-expanded') => {
  const { store, keys } = await open(where);
  try {
    return Buffer.from((await keys.read(name, type))?.reveal() ?? []).toString('hex');
  } finally {
    store.close();
  }
};

const restoreInto = (where: Place, contents: Parameters<typeof place>[0], isForced = false) =>
  place(contents, { ...where, owner: undefined, isForced, now: Date.now() });

async function listing(directory: string): Promise<string[]> {
  return (await readdir(directory, { recursive: true })).sort();
}

it('brings keys, devices, config and lines for tor into empty directories', async () => {
  const home = await lived();
  const sealed = await seal(pack(await collect(home.paths, Date.now(), signal)), PASSPHRASE);
  expect(Buffer.from(sealed).toString('latin1')).toMatch(/^gateway backup 1\n/);
  expect(Buffer.from(sealed).includes('UseBridges')).toBe(false);

  const fresh = at('fresh');
  await restoreInto(fresh, unpack(await unseal(sealed, PASSPHRASE, 'b'), 'b'));
  expect(await readFile(fresh.paths.configFile, 'utf8')).toBe(CONFIG);
  expect(await readFile(join(fresh.paths.torrcDirectory, 'bridges.conf'), 'utf8')).toBe('UseBridges 0\n');
  for (const [name, type] of [
    ['tor/shop', 'ed25519-expanded'],
    ['wireguard', 'curve25519'],
  ] as const) {
    expect(await secretOf(fresh, name, type)).toBe(await secretOf(home, name, type));
    expect(await secretOf(fresh, name, type)).not.toBe('');
  }
  const { store } = await open(fresh);
  expect(store.recovered).toEqual([]);
  expect(store.devices().map(({ name }) => name)).toEqual(['phone']);
  expect(store.generationConfig()).toBe(CONFIG);
  store.close();
  expect((await stat(fresh.paths.keys)).mode & 0o777).toBe(0o700);
  expect((await stat(join(fresh.paths.keys, 'wireguard.key'))).mode & 0o777).toBe(0o600);
  expect((await readdir(fresh.directories.state)).filter((name) => name.startsWith('.'))).toEqual([]);
});

it('refuses where a gateway lives; with force puts that one aside, whole', async () => {
  const home = await lived();
  const contents = await collect(home.paths, Date.now(), signal);
  const before = await listing(home.directories.state);
  await expect(restoreInto(home, contents)).rejects.toMatchObject({ code: 'AlreadyExists' });
  expect(await listing(home.directories.state)).toEqual(before);
  await mkdir(join(home.directories.state, 'services', 'shop'), { recursive: true });

  const kept = await restoreInto(home, contents, true);
  expect(kept).toHaveLength(2);
  const aside = kept.find((path) => path.startsWith(home.directories.state)) ?? '';
  expect(await readdir(aside)).toEqual(expect.arrayContaining(['keys', 'snapshot.json', 'state.db']));
  expect(await readdir(home.directories.state)).toContain('services');
  expect((await stat(aside)).mode & 0o777).toBe(0o700);
});

it('takes directories of a gateway that was started and never used for empty', async () => {
  const contents = await collect((await lived()).paths, Date.now(), signal);
  const fresh = at('fresh');
  (await open(fresh)).store.close();
  await restoreInto(fresh, contents);
  const { store } = await open(fresh);
  expect(store.devices()).toHaveLength(1);
  expect(store.recovered).toEqual([]);
  store.close();
});

it('says what is wrong with a file, each in its own words', async () => {
  const home = await lived();
  const sealed = Buffer.from(await seal(pack(await collect(home.paths, Date.now(), signal)), PASSPHRASE));
  const flipped = (at: number): Buffer => {
    const copy = Buffer.from(sealed);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  const later = Buffer.from(sealed.toString('latin1').replace('backup 1', 'backup 2'), 'latin1');
  const cases: [Buffer, string, RegExp][] = [
    [sealed, 'PassphraseWrong', /does not open/],
    [sealed.subarray(0, -1), 'BackupUnreadable', /cut off: \d+ of \d+ bytes/],
    [sealed.subarray(0, 100), 'BackupUnreadable', /cut off or damaged/],
    [sealed.subarray(0, 5), 'BackupUnreadable', /cut off/],
    [Buffer.alloc(0), 'BackupUnreadable', /empty/],
    [Buffer.from('PK\u0003\u0004 a zip'), 'BackupUnreadable', /not a backup/],
    [later, 'BackupUnreadable', /later version/],
    [flipped(sealed.length - 20), 'BackupUnreadable', /damaged/],
  ];
  for (const [bytes, code, message] of cases) {
    await expect(unseal(bytes, 'another passphrase', 'b')).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  }
}, 30_000);

/** Whoever changes the file can mend its checksum, which needs no secret; not the seal. */
it('believes nothing that the passphrase does not vouch for', async () => {
  const home = await lived();
  const sealed = Buffer.from(await seal(pack(await collect(home.paths, Date.now(), signal)), PASSPHRASE));
  const { createHash } = await import('node:crypto');
  const lines = sealed.toString('latin1').split('\n');
  const [magic = '', head = '', check = ''] = lines;
  const body = Buffer.from(sealed.subarray(magic.length + head.length + check.length + 3));
  body[10] = (body[10] ?? 0) ^ 1;
  const mended = head.replace(
    /"sha256":"\w+"/,
    `"sha256":"${createHash('sha256').update(body).digest('hex')}"`,
  );
  const forged = Buffer.concat([Buffer.from(`${magic}\n${mended}\n${check}\n`), body]);
  await expect(unseal(forged, PASSPHRASE, 'b')).rejects.toMatchObject({ code: 'PassphraseWrong' });
  const dear = Buffer.from(sealed.toString('latin1').replace('"log2N":17', '"log2N":30'), 'latin1');
  await expect(unseal(dear, PASSPHRASE, 'b')).rejects.toMatchObject({ code: 'BackupUnreadable' });
});

it('makes no backup that lacks a key, or holds a damaged one', async () => {
  const home = await lived();
  const file = join(home.paths.keys, 'tor', 'shop.key');
  const whole = await readFile(file);
  await writeFile(file, whole.subarray(0, 40));
  await expect(collect(home.paths, Date.now(), signal)).rejects.toMatchObject({ code: 'KeyCorrupt' });
  await rm(dirname(file), { recursive: true });
  await expect(collect(home.paths, Date.now(), signal)).rejects.toMatchObject({
    code: 'KeyMissing',
    message: expect.stringContaining('tor/shop'),
  });
  await expect(collect(at('none').paths, Date.now(), signal)).rejects.toMatchObject({ code: 'BackupEmpty' });
});
