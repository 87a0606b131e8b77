import type { Generation } from '../../core/control.ts';
import { GatewayError } from '../../core/errors.ts';
import type { JournalEvent } from '../../core/events.ts';
import type { Device } from '../../core/service.ts';
import { changeState, type Ledgers, type State, type StateChange } from '../../core/state.ts';
import type { Store } from '../../engine/store.ts';
import type { Database } from './database.ts';
import { Journal } from './journal.ts';
import type { Snapshot } from './snapshot.ts';

export interface Opened {
  readonly database: Database;
  readonly snapshot: Snapshot;
  readonly state: State;
  readonly recovered: readonly string[];
}

/** One process writes (the daemon's lock); what it wrote last it also holds in memory. */
export class SqliteStore implements Store {
  readonly recovered: readonly string[];
  readonly #database: Database;
  readonly #snapshot: Snapshot;
  readonly #journal: Journal;
  #state: State;

  constructor({ database, snapshot, state, recovered }: Opened) {
    this.recovered = recovered;
    this.#database = database;
    this.#snapshot = snapshot;
    this.#journal = new Journal(database);
    this.#state = state;
  }

  ledger(): Ledgers {
    return this.#state.ledger;
  }

  devices(): readonly Device[] {
    return this.#state.devices;
  }

  device(name: string): Device | undefined {
    return this.#state.devices.find((device) => device.name === name);
  }

  generations(): readonly Generation[] {
    return this.#state.generations.map(({ number, appliedAt, programmed, current }) => ({
      number,
      appliedAt,
      programmed,
      current,
    }));
  }

  generationConfig(number?: number): string | undefined {
    const found = this.#state.generations.find((generation) =>
      number === undefined ? generation.current : generation.number === number,
    );
    return found?.config;
  }

  isDown(): boolean {
    return this.#state.isDown;
  }

  commit(change: StateChange): Promise<void> {
    return promised(() => this.#change(change));
  }

  fingerprint(name: string): string | undefined {
    return Object.hasOwn(this.#state.keys, name) ? this.#state.keys[name] : undefined;
  }

  remember(name: string, fingerprint: string): void {
    this.#change({ rememberKeys: { [name]: fingerprint } });
  }

  forget(name: string): void {
    this.#change({ forgetKeys: [name] });
  }

  append(event: Omit<JournalEvent, 'seq'>): Promise<JournalEvent> {
    return promised(() => this.#journal.append(event));
  }

  events(after: number, limit: number): Promise<readonly JournalEvent[]> {
    return promised(() => this.#journal.after(after, limit));
  }

  latestEvents(limit: number): Promise<readonly JournalEvent[]> {
    return promised(() => this.#journal.latest(limit));
  }

  close(): void {
    this.#database.close();
  }

  /**
   * Snapshot first, database second (decide.ts says what each crash leaves). When the database refuses, the snapshot
   * is set back, so that a change that failed does not come true at the next start.
   */
  #change(change: StateChange): void {
    const next = changeState(this.#state, change);
    if (next === this.#state) return;
    let isSnapshotWritten = false;
    this.#database.begin();
    try {
      this.#checkAlone();
      this.#database.write(this.#state, next);
      this.#snapshot.write(next);
      isSnapshotWritten = true;
      this.#database.commit();
    } catch (error) {
      this.#database.rollback();
      if (isSnapshotWritten) this.#snapshot.undo();
      throw error;
    }
    this.#state = next;
  }

  #checkAlone(): void {
    const stored = this.#database.counter();
    if (stored === this.#state.counter) return;
    throw new GatewayError(
      `${this.#database.path} was changed by another process (change ${stored}; ours was ${this.#state.counter})`,
      { code: 'AlreadyRunning', retry: 'never', hint: 'stop the other gateway, then start this one again' },
    );
  }
}

/** The work is done at once; the promise is for stores that are further away. */
function promised<Result>(task: () => Result): Promise<Result> {
  return new Promise((resolve) => {
    resolve(task());
  });
}
