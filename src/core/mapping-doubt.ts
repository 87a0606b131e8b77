import type { Tri } from './contract.ts';
import type { PortSpec } from './mapper.ts';
import type { PortState } from './mapping-lease.ts';

/** What came of a visit from outside that had to come in through a port. */
export interface Visit {
  readonly port: Pick<PortSpec, 'transport' | 'port'>;
  readonly reachable: Tri;
  /** Port outside that was dialled. */
  readonly externalPort: number;
  /** When it set out, in milliseconds since the epoch: what was mapped later, it says nothing of. */
  readonly beganAt: number;
  /** 'a relay outside got no answer from UDP 11.2.0.2:51820' */
  readonly detail: string;
  /** May another port outside be asked for? Not where the owner told the world this one. */
  readonly mayMove: boolean;
  /** A device came in by itself: it knows the port that there is now. */
  readonly isDevice?: boolean;
}

/** A mapping that the router lists and that nothing comes through. Times in milliseconds since the epoch. */
export interface Doubt {
  /** Remedies since the last rest. */
  readonly tried: number;
  readonly rests: number;
  /** Nothing is tried before. */
  readonly notBefore: number;
  /** Port outside when the doubt began. */
  readonly firstPort: number;
  readonly why: string;
}

export type Remedy = 'again' | 'elsewhere' | 'back';

const REMEDIES: readonly Remedy[] = ['again', 'elsewhere', 'elsewhere', 'back'];
const FIRST_REST_MS = 3_600_000;
const LONGEST_REST_MS = 24 * 3_600_000;

export interface Judged {
  readonly state: PortState;
  /** The mapping is to be deleted, and asked for again so. */
  readonly remedy?: Remedy;
  /** Visits come through again. */
  readonly isHealed?: boolean;
}

/**
 * What a visit from outside says of a mapping, and what is done about it:
 *
 *   the visit                                  | what follows
 *   could not be made, or proved nothing       | nothing
 *   set out before the mapping was made        | nothing
 *   dialled another port                       | nothing
 *   came through                               | the doubt is over
 *   did not, first time                        | delete it, ask for the same again
 *   … second and third time                    | another port outside, where that is allowed
 *   … fourth time: no port of it helps         | back to the first port; rest for an hour, then two, at most a day
 *
 * After a rest it begins again: a firewall of this machine looks the same as a router that lies, and the owner may have
 * mended either.
 */
export function judgeVisit(state: PortState, visit: Visit, now: number): Judged {
  const { held, doubt } = state;
  if (held === undefined || visit.reachable === 'unknown' || visit.beganAt <= held.since) return { state };
  const { externalPort } = held.lease;
  if (visit.reachable === 'yes') {
    const told = visit.isDevice === true ? { told: externalPort } : {};
    return { state: { ...state, ...told, doubt: undefined }, isHealed: doubt !== undefined };
  }
  const isResting = doubt !== undefined && now < doubt.notBefore;
  if (visit.externalPort !== externalPort || isResting) return { state };
  const fresh = { tried: 0, rests: 0, notBefore: 0, firstPort: externalPort, why: visit.detail };
  return remedied(state, doubt ?? fresh, visit, now);
}

function remedied(state: PortState, before: Doubt, { mayMove, detail: why }: Visit, now: number): Judged {
  const remedy = (mayMove ? REMEDIES : REMEDIES.slice(0, 1))[before.tried];
  const isBack = state.held?.lease.externalPort === before.firstPort;
  if (remedy === undefined || (remedy === 'back' && isBack)) {
    return { state: { ...state, doubt: rested(before, why, now) } };
  }
  const next = { ...before, tried: before.tried + 1, why };
  return { state: { ...state, doubt: remedy === 'back' ? rested(next, why, now) : next }, remedy };
}

function rested(doubt: Doubt, why: string, now: number): Doubt {
  const rest = Math.min(FIRST_REST_MS * 2 ** doubt.rests, LONGEST_REST_MS);
  return { ...doubt, tried: 0, rests: doubt.rests + 1, notBefore: now + rest, why };
}
