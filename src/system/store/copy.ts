import type { State } from '../../core/state.ts';

/**
 * The number of the form in which state is stored. A higher one is never read, and never overwritten.
 * 1: every device had a WireGuard key. 2: a device may have none, a key for onion services, and an end.
 */
export const SCHEMA = 2;

/** One place where state is stored, as it was found. */
export type Copy =
  | { readonly status: 'healthy'; readonly state: State; readonly text: string }
  | { readonly status: 'missing' }
  | { readonly status: 'damaged'; readonly why: string }
  | { readonly status: 'later'; readonly schema: number };

export interface Copies {
  readonly snapshot: Copy;
  /** The snapshot before that. */
  readonly previous: Copy;
  readonly database: Copy;
}
