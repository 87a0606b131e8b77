import type { Tri } from '../../core/status.ts';
import { statesOf, type States } from './expiry.ts';
import type { ExpirySeen } from './measurement.ts';
import { isGateway, onePerPlace, type Path, type Place } from './path.ts';

/** Which routers translate, as far as it is known. */
export interface Marks {
  /** Routers are counted up to here. */
  readonly last: number;
  /** Further ones may translate, too. */
  readonly isUnbounded: boolean;
  /** Something was seen beyond the owner of the public address which says that it is not, or that a firewall is there. */
  readonly isTorn: boolean;
  /** With where the public address begins. */
  readonly places: readonly Place[];
  readonly states: States | undefined;
  readonly of: (ttl: number) => Tri;
}

/**
 *   known                                                  | router k
 *   -------------------------------------------------------+------------------------------------------------------------
 *   packets carry the same address before it and behind it | does not translate
 *   it is beyond the owner of the public address           | does not translate
 *   packets carry A right before it, and B right behind it | translates
 *   it is the owner of the public address                  | translates, unless it is beyond another
 *   another sees packets come from its address outside     | translates
 *   it speaks NAT-PMP or UPnP as a gateway                 | translates
 *   its state, made again, got another port                | translates
 *   anything else                                          | unknown; also where its state expires: firewalls forget, too
 */
export function marksOf(path: Path, expiry: ExpirySeen | undefined, filter = 0): Marks {
  const states = expiry === undefined ? undefined : statesOf(expiry);
  const reach = reachOf(path, Math.max(filter, ...(states?.stateful ?? [])));
  const { last, isUnbounded } = reach;
  const end = path.publicV4 === undefined || isUnbounded ? [] : [{ after: last, address: path.publicV4 }];
  const places = onePerPlace([...path.places.filter(({ after }) => after < last), ...end]);
  const remade = new Set(states?.remade);
  const of = (ttl: number): Tri => {
    if (ttl > last) return isUnbounded ? 'unknown' : 'no';
    const before = places.findLast(({ after }) => after < ttl);
    const behind = places.find(({ after }) => after >= ttl);
    const isOwner = ttl === path.owner && path.isOwnerProved;
    const isSource = isOwner || path.translators.includes(ttl);
    const otherwise = isSource || remade.has(ttl) || isGateway(path, ttl) ? 'yes' : 'unknown';
    if (before === undefined || behind === undefined) return otherwise;
    if (before.address === behind.address) return isOwn(path, before, behind) ? 'unknown' : 'no';
    return before.after === ttl - 1 && behind.after === ttl ? 'yes' : otherwise;
  };
  const isOther = path.places.some(({ after, address }) => after >= last && address !== end[0]?.address);
  return { ...reach, isTorn: reach.isTorn || (end.length > 0 && isOther), places, states, of };
}

/** As far as the owner of the public address; beyond it, when something filters or forgets there; else all the way. */
function reachOf(path: Path, outermost: number): Pick<Marks, 'last' | 'isUnbounded' | 'isTorn'> {
  const { owner, routers, places } = path;
  const spoken = gateways(path);
  if (owner !== undefined) {
    const isTorn = outermost > owner || spoken > owner;
    return { last: isTorn ? Math.max(outermost, spoken) : owner, isUnbounded: false, isTorn };
  }
  const known = Math.max(places.at(-1)?.after ?? 0, outermost, spoken);
  return { last: routers ?? known, isUnbounded: routers === undefined, isTorn: known > (routers ?? known) };
}

/** Two networks with the same numbers: a router in between has by chance the address that stands before it. */
function isOwn(path: Path, { after: from, address }: Place, { after: to }: Place): boolean {
  return from < to && routersAfter(from, to).some((ttl) => path.wanOf(ttl) === address);
}

function gateways(path: Path): number {
  return Math.max(0, ...routersAfter(0, 16).filter((ttl) => isGateway(path, ttl)));
}

/** Those after `from`, up to `to`. */
export function routersAfter(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index + 1);
}
