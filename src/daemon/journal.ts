import { messageOf } from '../core/errors.ts';
import type { Recorder } from '../core/events.ts';
import type { Log } from '../core/ports.ts';
import type { Store } from '../engine/store.ts';

export type { Recorder } from '../core/events.ts';

/** Events are for people: one that cannot be written (disk full) is logged, and stops nothing. */
export function createJournal(store: Store, now: () => number, log: Log): Recorder {
  return (type, message, data = {}) => {
    store.append({ type, message, data, at: new Date(now()).toISOString() }).catch((error: unknown) => {
      log('error', 'event was not written', { type, message, error: messageOf(error) });
    });
  };
}
