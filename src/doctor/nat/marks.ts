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
  of(ttl: number): Tri;
}

/**
 *   known                                                  | router k
 *   -------------------------------------------------------+------------------------------------------------------------
 *   packets carry the same address before it and behind it | does not translate
 *   it is beyond the owner of the public address           | does not translate
 *   packets carry A right before it, and B right behind it | translates
 *   it is the owner of the public address                  | translates, unless it is beyond another
 *   it speaks NAT-PMP or UPnP as a gateway                 | translates
 *   its state, made again, got another port                | translates
 *   anything else                                          | unknown; also where its state expires: firewalls forget, too
 */
export function marksOf(path: Path, expiry: ExpirySeen | undefined): Marks {
  const { publicV4, owner, routers, isOwnerProved } = path;
  const states = expiry === undefined ? undefined : statesOf(expiry);
  const outermost = Math.max(0, ...(states?.stateful ?? []));
  const hasStateBeyond = owner !== undefined && outermost > owner;
  const known = path.places.at(-1)?.after ?? 0;
  const last = hasStateBeyond ? outermost : (owner ?? routers ?? Math.max(known, outermost, gateways(path)));
  const isUnbounded = owner === undefined && routers === undefined;
  const end = publicV4 === undefined || isUnbounded ? [] : [{ after: last, address: publicV4 }];
  const places = onePerPlace([...path.places.filter(({ after }) => after < last), ...end]);
  const remade = new Set(states?.remade);
  const of = (ttl: number): Tri => {
    if (ttl > last) return isUnbounded ? 'unknown' : 'no';
    const before = places.findLast(({ after }) => after < ttl);
    const behind = places.find(({ after }) => after >= ttl);
    const isKnown = before !== undefined && behind !== undefined;
    if (isKnown && before.address === behind.address) return isOwn(path, before, behind) ? 'unknown' : 'no';
    if (isKnown && before.after === ttl - 1 && behind.after === ttl) return 'yes';
    const isOwner = ttl === owner && isOwnerProved;
    return isOwner || remade.has(ttl) || isGateway(path, ttl) ? 'yes' : 'unknown';
  };
  const isOther = path.places.some(
    ({ after, address }) => after >= last && end.length > 0 && address !== publicV4,
  );
  const isTorn = hasStateBeyond || isOther || gateways(path) > last;
  return { last, isUnbounded, isTorn, places, states, of };
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
