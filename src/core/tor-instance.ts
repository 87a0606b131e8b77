import type { Privacy } from './service.ts';

/**
 * The tor processes that we run, each only while something needs it, with a data directory, sockets, pid file and log of
 * its own. What one of them does, a relay cannot link to the other by the guards that they use, and a fault ends one only.
 *
 *   tor       the onion services of every privacy but tor-only, and the way out of those services
 *   tor-only  the same for privacy tor-only: their keys are nowhere else, and what they visit no other process learns
 */
export const TOR_INSTANCES = ['tor', 'tor-only'] as const;
export type TorInstance = (typeof TOR_INSTANCES)[number];

export function torInstanceOf({ privacy }: { readonly privacy: Privacy }): TorInstance {
  return privacy === 'tor-only' ? 'tor-only' : 'tor';
}
