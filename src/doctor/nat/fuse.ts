import { isPublicUnicast } from '../../core/inet.ts';
import type { NatDoubt, NatReport } from '../types.ts';
import { evidenceOf, hopsOf } from './hops.ts';
import { marksOf, routersAfter, type Marks } from './marks.ts';
import type { Measurement } from './measurement.ts';
import { isGateway, onePerPlace, pathOf, type Path, type Place } from './path.ts';

/**
 * What all measurements together say of the NATs on the way out. No count is exact that is not proved: it is a range as long
 * as one router may translate or not, and while expiry does not show the same routers as the addresses do.
 */
export function fuse(measurements: readonly Measurement[]): NatReport {
  const path = pathOf(measurements);
  const expiry = measurements.find((one) => one.method === 'expiry');
  const behaviour = measurements.find((one) => one.method === 'behaviour');
  const v6 = measurements.find((one) => one.method === 'stun' && one.address.includes(':'));
  const filters = measurements.flatMap((one) => (one.method === 'opener' ? [one.outermost] : []));
  const marks = marksOf(path, expiry, Math.max(0, ...filters));
  const isDirect = path.publicV4 !== undefined && path.places[0]?.address === path.publicV4;
  return {
    count: isDirect ? directCount(path) : countOf(path, marks),
    hops: hopsOf(measurements, path, isDirect ? { ...marks, of: () => 'no' } : marks),
    mapping: behaviour?.mapping ?? 'unknown',
    filtering: behaviour?.filtering ?? 'unknown',
    publicV4: path.publicV4 ?? null,
    publicV6: v6?.method === 'stun' ? v6.address : null,
    evidence: evidenceOf(measurements),
  };
}

/** Packets arrive outside as they left this machine. */
function directCount({ isContradictory }: Path): NatReport['count'] {
  const doubts: NatDoubt[] = isContradictory ? ['disagree'] : [];
  return { min: 0, max: isContradictory ? null : 0, exact: !isContradictory, likely: 0, doubts };
}

function countOf(path: Path, marks: Marks): NatReport['count'] {
  const { min: proved, max, isPossible } = boundsOf(marks, marks.places);
  const told = boundsOf(marks, onePerPlace([...marks.places, ...path.toldPlaces]));
  const min = Math.max(proved, Math.min(told.min, max));
  const isContradictory = path.isContradictory || !isPossible || marks.isTorn;
  const isEndless = marks.isUnbounded || path.publicV4 === undefined;
  const doubts: NatDoubt[] = [
    ...doubtIf(path.publicV4 === undefined, 'outside'),
    ...doubtIf(path.publicV4 !== undefined && path.owner === undefined, 'unbounded'),
    ...doubtIf(proved !== max, 'unproved'),
    ...doubtIf(!hasProof(path, marks), 'addresses'),
    ...doubtIf(marks.states === undefined, 'state'),
    ...doubtIf(marks.states?.isWhole === false, 'unsteady'),
    ...doubtIf(isContradictory || isExpiryAgainst(marks), 'disagree'),
  ];
  const isExact = proved === max && !isEndless && doubts.every((doubt) => doubt === 'unbounded');
  return {
    min,
    max: isEndless ? null : max,
    exact: isExact,
    likely: Math.max(min, isEndless ? 0 : Math.min(likelyOf(path, marks), max)),
    doubts: isExact ? [] : doubts,
  };
}

function doubtIf(isSo: boolean, doubt: NatDoubt): NatDoubt[] {
  return isSo ? [doubt] : [];
}

interface Bounds {
  readonly min: number;
  readonly max: number;
  /** False: the address changed where no router can have changed it. */
  readonly isPossible: boolean;
}

/** Where the address differs between two places, one router at least translates in between; where not, none does. */
function boundsOf({ last, of }: Marks, places: readonly Place[]): Bounds {
  const stretches = [...places, undefined].map((to, index) => {
    const from = places[index - 1];
    const between = routersAfter(from?.after ?? 0, to?.after ?? last).map(of);
    const yes = between.filter((mark) => mark === 'yes').length;
    const most = between.filter((mark) => mark !== 'no').length;
    const isChanged = from !== undefined && to !== undefined && from.address !== to.address;
    return { min: Math.max(yes, isChanged ? 1 : 0), max: most, isPossible: !isChanged || most > 0 };
  });
  return {
    min: stretches.reduce((sum, { min }) => sum + min, 0),
    max: stretches.reduce((sum, { min, max }) => sum + Math.max(min, max), 0),
    isPossible: stretches.every(({ isPossible }) => isPossible),
  };
}

/** One of the proofs of addresses: a gateway's word, the source that a router sees, or what routers wrote down. */
function hasProof(path: Path, { last }: Marks): boolean {
  // A firewall that refuses would end the count before its time.
  if (path.owner !== undefined && !path.isOwnerProved) return false;
  const isSeen = path.places.some(({ after }) => after > 0);
  return path.isOwnerRecorded || isSeen || routersAfter(0, last).some((ttl) => isGateway(path, ttl));
}

/** Expiry must show every router that translates: else one keeps state for longer than the window, and others may, too. */
function isExpiryAgainst({ states, last, of }: Marks): boolean {
  if (states === undefined || !states.isWhole) return false;
  return routersAfter(0, last).some((ttl) => of(ttl) === 'yes' && states.of(ttl) !== 'yes');
}

/** Those whose state expires; where that is not known, those that translate or have an address of a home. */
function likelyOf(path: Path, { states, last, of }: Marks): number {
  return routersAfter(0, path.owner ?? last).filter((ttl) => {
    if (of(ttl) !== 'unknown') return of(ttl) === 'yes';
    const kept = states?.of(ttl) ?? 'unknown';
    if (kept !== 'unknown') return kept === 'yes';
    const lan = path.lanOf(ttl);
    return lan !== undefined && !isPublicUnicast(lan);
  }).length;
}
