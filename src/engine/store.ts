import type { Generation } from '../core/control.ts';
import type { JournalEvent } from '../core/events.ts';
import type { Device } from '../core/service.ts';
import type { Ledgers, StateChange } from '../core/state.ts';

export type { StateChange } from '../core/state.ts';

/**
 * The daemon's memory: what it was told and what it chose. Reads are answered from memory; a write resolves when it is
 * durable, and rejects with `GatewayError` (`DiskFull` …) when it is not, with everything as it was before.
 * PostgreSQL can implement this for a fleet; here it is SQLite plus snapshot (src/system/store).
 */
export interface Store {
  /** Sentences: what was damaged when the store was opened, and what was taken instead. */
  readonly recovered: readonly string[];

  ledger(): Ledgers;
  /** By name. */
  devices(): readonly Device[];
  device(name: string): Device | undefined;
  /** By number. */
  generations(): readonly Generation[];
  /** Text of gateway.yaml of a generation; of the current one when no number is given. */
  generationConfig(number?: number): string | undefined;

  /** The owner said `down`, and not `up` since. */
  isDown(): boolean;

  /** One acknowledged change: all of it or nothing, also when the power goes. Changing nothing writes nothing. */
  commit(change: StateChange): Promise<void>;

  /** Fingerprints of the keys of this machine; synchronous because keys are local files. Durable on return. */
  fingerprint(name: string): string | undefined;
  remember(name: string, fingerprint: string): void;
  forget(name: string): void;

  /** Adds to the journal, which keeps the last 10,000. A power cut may lose the last few, and no more. */
  append(event: Omit<JournalEvent, 'seq'>): Promise<JournalEvent>;
  /** Events with `seq` above `after`, oldest first. */
  events(after: number, limit: number): Promise<readonly JournalEvent[]>;
  /** The last `limit` events, oldest first. */
  latestEvents(limit: number): Promise<readonly JournalEvent[]>;

  close(): void;
}
