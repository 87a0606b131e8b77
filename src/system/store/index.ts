import { GatewayError } from '../../core/errors.ts';
import type { State } from '../../core/state.ts';
import type { Store } from '../../engine/store.ts';
import type { Copies } from './copy.ts';
import { Database } from './database.ts';
import { decide, type Decision } from './decide.ts';
import { Snapshot } from './snapshot.ts';
import { SqliteStore } from './sqlite-store.ts';

export interface StoreOptions {
  /** Path of state.db; its directory exists. */
  readonly database: string;
  /** Path of snapshot.json, in the same directory. */
  readonly snapshot: string;
  /** Milliseconds since the epoch; names what is put aside. */
  readonly now?: () => number;
}

type Accepted = Exclude<Decision, { readonly refused: string }>;

/** Opens, or makes, the store. Throws `StateCorrupt` when nothing that is left can be believed. */
export function openStore(options: StoreOptions): Store {
  const snapshot = new Snapshot(options.snapshot);
  const database = Database.open(options.database);
  try {
    return open(database, snapshot, (options.now ?? Date.now)());
  } catch (error) {
    database.close();
    throw error;
  }
}

function open(database: Database, snapshot: Snapshot, now: number): Store {
  // The database first: from here on no other process can write between the two readings.
  const found = database.examine();
  const copies = { database: found, snapshot: snapshot.read(), previous: snapshot.readPrevious() };
  const decision = decide(copies);
  if ('refused' in decision) {
    throw new GatewayError(decision.refused, {
      code: 'StateCorrupt',
      retry: 'when-changed',
      hint: decision.hint,
    });
  }
  const stamp = new Date(now).toISOString().replace(/[-:]|\.[0-9]+/g, '');
  const ready = settle(database, copies, decision, stamp);
  if (decision.snapshot === 'write') {
    if (copies.snapshot.status === 'damaged') snapshot.putAside(stamp);
    snapshot.write(decision.state);
  }
  ready.commit();
  return new SqliteStore({ database: ready, snapshot, state: decision.state, recovered: decision.said });
}

/** Makes the database hold what was decided, in a transaction that the caller ends. */
function settle(database: Database, copies: Copies, decision: Accepted, stamp: string): Database {
  const { status } = copies.database;
  if (decision.database === 'keep') return database;
  if (decision.database === 'update') {
    database.write(copies.database.status === 'healthy' ? copies.database.state : undefined, decision.state);
    return database;
  }
  if (status === 'missing') return fill(database, decision.state);
  database.putAside(stamp);
  const fresh = Database.open(database.path);
  try {
    fresh.examine();
    return fill(fresh, decision.state);
  } catch (error) {
    fresh.close();
    throw error;
  }
}

function fill(database: Database, state: State): Database {
  database.create();
  database.write(undefined, state);
  return database;
}
