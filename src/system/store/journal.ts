import { JournalEvent } from '../../core/events.ts';
import type { Database } from './database.ts';

const KEEP = 10_000;

/**
 * Events, for people. Not synced one by one: a pass writes many, and losing the last few in a power cut harms nobody,
 * because nothing depends on an event.
 */
export class Journal {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  append(event: Omit<JournalEvent, 'seq'>): JournalEvent {
    const { connection } = this.#database;
    return this.#database.run(() => {
      connection.exec('PRAGMA synchronous = NORMAL');
      try {
        const { lastInsertRowid } = connection
          .prepare('INSERT INTO event (at, type, message, data) VALUES (?, ?, ?, ?)')
          .run(event.at, event.type, event.message, JSON.stringify(event.data));
        const seq = Number(lastInsertRowid);
        connection.prepare('DELETE FROM event WHERE seq <= ?').run(seq - KEEP);
        return { seq, ...event };
      } finally {
        connection.exec('PRAGMA synchronous = FULL');
      }
    });
  }

  after(seq: number, limit: number): JournalEvent[] {
    return this.#select('SELECT * FROM event WHERE seq > ? ORDER BY seq LIMIT ?', seq, limit);
  }

  latest(limit: number): JournalEvent[] {
    return this.#select('SELECT * FROM event WHERE seq > ? ORDER BY seq DESC LIMIT ?', 0, limit).toReversed();
  }

  #select(sql: string, seq: number, limit: number): JournalEvent[] {
    const rows = this.#database.run(() =>
      this.#database.connection.prepare(sql).all(seq, Math.max(0, limit)),
    );
    return rows.map(read);
  }
}

/** A row that a failing disk changed is shown as what it is, and hides no other. */
function read(row: Record<string, unknown>): JournalEvent {
  const parsed = JournalEvent.safeParse({ ...row, data: parseData(String(row['data'])) });
  if (parsed.success) return parsed.data;
  const seq = Number(row['seq']);
  return {
    seq,
    at: new Date(0).toISOString(),
    type: 'state.recovered',
    message: `event ${seq} is damaged on disk and cannot be shown`,
    data: {},
  };
}

function parseData(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
