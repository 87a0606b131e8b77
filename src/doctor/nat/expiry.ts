import type { Tri } from '../../core/status.ts';
import type { ExpirySeen } from './measurement.ts';

export interface States {
  /** Does router `ttl` keep state that expires within the window? */
  of(ttl: number): Tri;
  /** Those that do. */
  readonly stateful: readonly number[];
  /** Those that gave a flow another port when it was used again after its state was gone. */
  readonly remade: readonly number[];
  /** Each router on the way can be told. */
  readonly isWhole: boolean;
}

/**
 * flow of router k | … with packets that die at k | neighbours' | k
 * -----------------+------------------------------+-------------+--------------------------------------------------------
 * alive            | alive                        | any         | no state, or it lasts longer than the window
 * any              | dead                         | any         | state, which packets that die here do not refresh
 * dead             | alive                        | alive       | state
 * dead             | alive                        | dead        | unknown: packets for k died at that neighbour unheard
 *
 * Where state is refreshed by outgoing packets alone (RFC 4787 REQ-6 lets it), every flow that is left to the far end dies
 * at the outermost such router: nothing is known of those before it. Nothing at all where the flow that was kept open from
 * inside is dead.
 */
export function statesOf(seen: ExpirySeen): States {
  const { routers, lost, lostDying, isUnsteady, countsOnlyOutgoing } = seen;
  const outermost = Math.max(0, ...lost);
  const hasDyingNeighbour = (ttl: number): boolean =>
    lostDying.includes(ttl - 1) || lostDying.includes(ttl + 1);
  const of = (ttl: number): Tri => {
    if (isUnsteady || ttl > routers) return 'unknown';
    if (countsOnlyOutgoing && ttl <= outermost) return 'unknown';
    if (lostDying.includes(ttl)) return 'yes';
    if (!lost.includes(ttl)) return 'no';
    return hasDyingNeighbour(ttl) ? 'unknown' : 'yes';
  };
  const all = Array.from({ length: routers }, (_, index) => index + 1);
  return {
    of,
    stateful: all.filter((ttl) => of(ttl) === 'yes'),
    // Only where no other router can have forgotten that flow.
    remade: seen.remade.filter((ttl) => of(ttl) === 'yes' && !hasDyingNeighbour(ttl)),
    isWhole: all.every((ttl) => of(ttl) !== 'unknown'),
  };
}
