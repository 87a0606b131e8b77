import { closeSync, existsSync, openSync, renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import { deserialise, serialise, type State } from '../../core/state.ts';
import { fileError } from '../files.ts';
import { SCHEMA, type Copy } from './copy.ts';
import { isDamage, sqliteError } from './sqlite-error.ts';

const TABLES = `
  CREATE TABLE item (
    kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL, data TEXT NOT NULL
  ) STRICT;
  PRAGMA user_version = ${SCHEMA};
`;

/** state.db: one row for each thing that is remembered, and the journal. */
export class Database {
  readonly path: string;
  readonly connection: DatabaseSync;

  private constructor(path: string, connection: DatabaseSync) {
    this.path = path;
    this.connection = connection;
  }

  /** Makes an empty file when there is none. Only we may read it. */
  static open(path: string): Database {
    try {
      closeSync(openSync(path, 'a', 0o600));
    } catch (error) {
      throw fileError(`${path} could not be opened`, error);
    }
    return Database.#connect(path);
  }

  static #connect(path: string): Database {
    const connection = translated(path, () => new DatabaseSync(path, { timeout: 5000 }));
    return new Database(path, connection);
  }

  create(): void {
    this.run(() => this.connection.exec(TABLES));
  }

  /** Runs `task` with errors of SQLite translated. */
  run<Result>(task: () => Result): Result {
    return translated(this.path, task);
  }

  begin(): void {
    this.run(() => this.connection.exec('BEGIN IMMEDIATE'));
  }

  commit(): void {
    this.run(() => this.connection.exec('COMMIT'));
  }

  /** Some errors of SQLite end the transaction by themselves. */
  rollback(): void {
    if (this.connection.isTransaction) this.run(() => this.connection.exec('ROLLBACK'));
  }

  /**
   * What is stored, or why it cannot be believed. Leaves a transaction open that no other process can write behind.
   * Full synchronous: a change is on the disk when its commit returns.
   */
  examine(): Copy {
    try {
      this.connection.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
      return this.#read();
    } catch (error) {
      if (isDamage(error)) return { status: 'damaged', why: error.message };
      throw sqliteError(this.path, error);
    }
  }

  #read(): Copy {
    const version = Number(this.connection.prepare('PRAGMA user_version').get()?.['user_version']);
    const tables = Number(this.connection.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n']);
    if (version === 0 && tables === 0) return { status: 'missing' };
    if (version > SCHEMA) return { status: 'later', schema: version };
    const check = this.connection.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (check !== 'ok') return { status: 'damaged', why: String(check) };
    const state = deserialise(assemble(this.connection.prepare('SELECT kind, key, value FROM item').all()));
    if (state === undefined) return { status: 'damaged', why: 'its content is not a state' };
    return { status: 'healthy', state, text: serialise(state) };
  }

  /** Number of the last change, as the file has it now. */
  counter(): number {
    const row = this.run(() =>
      this.connection.prepare(`SELECT value FROM item WHERE kind = 'counter'`).get(),
    );
    return row === undefined ? -1 : Number(row['value']);
  }

  /** Writes what differs between two states, inside a transaction of the caller. */
  write(before: State | undefined, after: State): void {
    const old = before === undefined ? new Map<string, Item>() : itemsOf(before);
    const fresh = itemsOf(after);
    this.run(() => {
      const remove = this.connection.prepare('DELETE FROM item WHERE kind = ? AND key = ?');
      for (const [id, { kind, key }] of old) if (!fresh.has(id)) remove.run(kind, key);
      const put = this.connection.prepare('INSERT OR REPLACE INTO item (kind, key, value) VALUES (?, ?, ?)');
      for (const [id, { kind, key, value }] of fresh)
        if (old.get(id)?.value !== value) put.run(kind, key, value);
      // One of an earlier form stays readable for that version until something is written.
      this.connection.exec(`PRAGMA user_version = ${SCHEMA}`);
    });
  }

  close(): void {
    if (this.connection.isOpen) this.run(() => this.connection.close());
  }

  /** Renames a file that cannot be believed, so that a new one can be made and this one looked at. */
  putAside(stamp: string): void {
    this.#abandon();
    let name = `${this.path}.damaged-${stamp}`;
    for (let again = 2; existsSync(name); again += 1) name = `${this.path}.damaged-${stamp}-${again}`;
    for (const suffix of ['-wal', '-shm', '']) {
      try {
        renameSync(`${this.path}${suffix}`, `${name}${suffix}`);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT')
          throw fileError(`${this.path}${suffix} could not be put aside`, error);
      }
    }
  }

  /** Closing writes the log back into the file, which a damaged one may refuse. */
  #abandon(): void {
    try {
      this.rollback();
      this.connection.close();
    } catch (error) {
      const cause = error instanceof GatewayError ? error.cause : error;
      if (!isDamage(cause)) throw error;
    }
  }
}

interface Item {
  readonly kind: string;
  readonly key: string;
  readonly value: string;
}

/** States never change; the rows of the one before are needed again at each change. */
const rows = new WeakMap<State, ReadonlyMap<string, Item>>();

function itemsOf(state: State): ReadonlyMap<string, Item> {
  const items = rows.get(state) ?? listItems(state);
  rows.set(state, items);
  return items;
}

function listItems(state: State): ReadonlyMap<string, Item> {
  const items: Item[] = [
    { kind: 'counter', key: '', value: JSON.stringify(state.counter) },
    ...(state.isDown ? [{ kind: 'down', key: '', value: 'true' }] : []),
    ...Object.entries(state.ledger).flatMap(([part, slice]) => [
      { kind: 'slice', key: part, value: 'true' },
      ...Object.entries(slice).map(([key, value]) => ({
        kind: `ledger ${part}`,
        key,
        value: JSON.stringify(value),
      })),
    ]),
    ...state.devices.map((device) => ({ kind: 'device', key: device.name, value: JSON.stringify(device) })),
    ...Object.entries(state.keys).map(([key, value]) => ({ kind: 'key', key, value: JSON.stringify(value) })),
    ...state.generations.map((one) => ({
      kind: 'generation',
      key: String(one.number),
      value: JSON.stringify(one),
    })),
  ];
  return new Map(items.map((item) => [`${item.kind}\0${item.key}`, item]));
}

/** The opposite of `itemsOf`; whether it is a state is for `deserialise` to say. */
function assemble(found: readonly Record<string, unknown>[]): unknown {
  const items = found.map((row) => ({
    kind: String(row['kind']),
    key: String(row['key']),
    value: String(row['value']),
  }));
  const ofKind = (kind: string): [string, unknown][] =>
    items.filter((item) => item.kind === kind).map(({ key, value }) => [key, JSON.parse(value) as unknown]);
  const known = new Set(['counter', 'down', 'slice', 'device', 'key', 'generation']);
  const parts = ofKind('slice').map(([part]) => part);
  const strays = items.filter(
    ({ kind }) => !known.has(kind) && !parts.some((part) => kind === `ledger ${part}`),
  );
  if (strays.length > 0) return undefined;
  return {
    counter: ofKind('counter')[0]?.[1],
    isDown: ofKind('down')[0]?.[1],
    ledger: Object.fromEntries(parts.map((part) => [part, Object.fromEntries(ofKind(`ledger ${part}`))])),
    devices: ofKind('device').map(([, device]) => device),
    keys: Object.fromEntries(ofKind('key')),
    generations: ofKind('generation').map(([, generation]) => generation),
  };
}

function translated<Result>(path: string, task: () => Result): Result {
  try {
    return task();
  } catch (error) {
    throw error instanceof GatewayError ? error : sqliteError(path, error);
  }
}
