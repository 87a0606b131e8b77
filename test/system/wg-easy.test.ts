import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readWgEasy } from '../../src/system/wg-easy.ts';

const key = (byte: number): string => Buffer.alloc(32, byte).toString('base64');
let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-wg-easy-'));
  path = join(directory, 'wg-easy.db');
});
afterEach(() => rm(directory, { recursive: true }));

/** The columns of wg-easy 15 that matter and some that must not be read; WAL, as it is there. */
function make(clients: readonly (readonly [name: string, byte: number, enabled: number])[]): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL;
    CREATE TABLE clients_table (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL, interface_id TEXT NOT NULL,
      name TEXT NOT NULL, ipv4_address TEXT NOT NULL UNIQUE, ipv6_address TEXT NOT NULL UNIQUE, private_key TEXT NOT NULL,
      public_key TEXT NOT NULL, pre_shared_key TEXT NOT NULL, expires_at TEXT, enabled INTEGER NOT NULL)`);
  const insert = database.prepare(
    "INSERT INTO clients_table VALUES (NULL, 1, 'wg0', ?, ?, ?, ?, ?, ?, NULL, ?)",
  );
  for (const [name, byte, enabled] of clients) {
    insert.run(name, `10.8.0.${byte}`, `fdcc::${byte}`, key(byte + 100), key(byte), key(200), enabled);
  }
  return database;
}

it('reads who is there and nothing secret, and leaves the directory as it was', async () => {
  make([
    ["Alice's Phone", 2, 1],
    ['off', 3, 0],
  ]).close();
  const before = await readdir(directory);
  const found = readWgEasy(path);
  expect(found).toEqual({
    peers: [{ name: 'alice-s-phone', was: "Alice's Phone", publicKey: key(2), address: '10.8.0.2' }],
    left: ['off is switched off there'],
  });
  expect(JSON.stringify(found)).not.toContain(key(102));
  expect(await readdir(directory)).toEqual(before);
});

it('reads what was not written into the file itself yet', async () => {
  const database = make([]);
  database.exec('PRAGMA wal_autocheckpoint = 0; PRAGMA wal_checkpoint(TRUNCATE)');
  const row = ['late', '10.8.0.9', 'fdcc::9', key(109), key(9), key(200)];
  database
    .prepare("INSERT INTO clients_table VALUES (NULL, 1, 'wg0', ?, ?, ?, ?, ?, ?, NULL, 1)")
    .run(...row);
  expect(readWgEasy(path).peers.map(({ name }) => name)).toEqual(['late']);
  // As an owner copies it, wg-easy running.
  const copy = join(directory, 'copy.db');
  await copyFile(path, copy);
  await copyFile(`${path}-wal`, `${copy}-wal`);
  database.close();
  expect(readWgEasy(copy).peers.map(({ name }) => name)).toEqual(['late']);
});

it.each<[string, () => Promise<void> | void]>([
  ['one of another program', () => new DatabaseSync(path).exec('CREATE TABLE a (b)')],
  ['a view of that name', () => new DatabaseSync(path).exec('CREATE VIEW clients_table AS SELECT 1')],
  ['a table of that name', () => new DatabaseSync(path).exec('CREATE TABLE clients_table (name)')],
  ['what only begins like one', () => writeFile(path, `SQLite format 3\0${'x'.repeat(5000)}`)],
  ['one without clients', () => make([]).close()],
  ['one that is not there', () => undefined],
])('refuses %s', async (_what, prepare) => {
  await prepare();
  expect(() => readWgEasy(path)).toThrow(expect.objectContaining({ code: 'InvalidRequest' }));
});
