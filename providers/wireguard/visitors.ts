import type { Observed } from '../../src/core/contract.ts';
import type { Peer } from '../../src/core/operations.ts';
import type { Spec } from './spec.ts';

/** A device as the interface last saw it. */
export type Visitor = Pick<Peer, 'latestHandshake' | 'endpoint'>;

/** Thousands of services are judged by one observation of thousands of devices: it is gone through once. */
const indexes = new WeakMap<readonly Observed<Spec>[], ReadonlyMap<string, readonly Visitor[]>>();

/** The devices that the hub lets through to `address:port`. */
export function visitorsOf(observed: readonly Observed<Spec>[], place: string): readonly Visitor[] {
  const index = indexes.get(observed) ?? indexOf(observed);
  indexes.set(observed, index);
  return index.get(place) ?? [];
}

function indexOf(observed: readonly Observed<Spec>[]): ReadonlyMap<string, readonly Visitor[]> {
  const index = new Map<string, Visitor[]>();
  for (const { facts, spec } of observed) {
    if (spec.type !== 'peer') continue;
    const { latestHandshake = 0, endpoint, grants = '' } = facts;
    const seen = endpoint === undefined ? {} : { endpoint: String(endpoint) };
    const visitor = { latestHandshake: Number(latestHandshake), ...seen };
    for (const place of String(grants).split(' ')) {
      const visitors = index.get(place);
      if (visitors === undefined) index.set(place, [visitor]);
      else visitors.push(visitor);
    }
  }
  return index;
}
