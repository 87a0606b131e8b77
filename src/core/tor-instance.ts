import type { Privacy } from './service.ts';

/**
 * The tor processes that we run, each only while something needs it, with a data directory, sockets, pid file and log of
 * its own. What one of them does, a relay cannot link to the other by the guards that they use, and a fault ends one only.
 *
 *   tor       the onion services of every privacy but tor-only, and the way out of those services
 *   tor-only  the same for privacy tor-only: their keys are nowhere else, and what they visit no other process learns
 *   single-hop  onion services that do not hide where they are; as tor insists, it is nobody's way out and visits nothing
 */
export const TOR_INSTANCES = ['tor', 'tor-only', 'single-hop'] as const;
export type TorInstance = (typeof TOR_INSTANCES)[number];

/** Those that hide where they are. */
export type AnonymousInstance = Exclude<TorInstance, 'single-hop'>;

export function torInstanceOf({ privacy }: { readonly privacy: Privacy }): AnonymousInstance {
  return privacy === 'tor-only' ? 'tor-only' : 'tor';
}

/** Which process serves the onion of a service. */
export function onionInstanceOf(service: { readonly privacy: Privacy }, isSingleHop: boolean): TorInstance {
  return isSingleHop ? 'single-hop' : torInstanceOf(service);
}
