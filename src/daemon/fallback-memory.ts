import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import type { FallbackMemory } from '../engine/fallbacks.ts';
import type { Store } from '../engine/store.ts';

/** Not waited for: what could not be written is compared, and written, after the next visit. */
export function createFallbackMemory(store: Store, log: Log): FallbackMemory {
  return {
    read: () => store.ledger()['fallback'] ?? {},
    write: (slice) => {
      const others = Object.entries(store.ledger()).map(([part, own]) => [part, { ...own }] as const);
      store.commit({ ledger: { ...Object.fromEntries(others), fallback: slice } }).catch((error: unknown) => {
        log('error', 'which way in is in use was not written', { error: messageOf(error) });
      });
    },
  };
}
