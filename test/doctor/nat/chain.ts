import type { ExpirySeen, Seen } from '../../../src/doctor/nat/measurement.ts';

/** A router as it really is; what it would show is derived from that. */
export interface Router {
  readonly kind: 'nat' | 'plain' | 'firewall';
  /** Seconds for which it remembers a flow. */
  readonly timer: number;
  /** A packet whose time to live ends here refreshes its state. */
  readonly countsDying: boolean;
  /** A packet from outside refreshes it. */
  readonly countsIncoming: boolean;
  /** Gives a flow that it forgot another port. */
  readonly movesPorts: boolean;
  readonly writesRoute: boolean;
  readonly speaks: readonly ('pcp' | 'nat-pmp' | 'upnp')[];
  /** Its address outside is on no interface of it (a carrier's pool). */
  readonly hasPool: boolean;
  /** A firewall that refuses datagrams to our public address instead of dropping them. */
  readonly refuses: boolean;
  /** Tells another address outside than it has. */
  readonly lies: boolean;
}

export const ROUTER: Router = {
  kind: 'nat',
  timer: 30,
  countsDying: true,
  countsIncoming: true,
  movesPorts: false,
  writesRoute: true,
  speaks: [],
  hasPool: false,
  refuses: false,
  lies: false,
};

export const HOST = '192.168.100.10';
export const PUBLIC = '11.2.0.2';

/** All that can be measured of a chain, the nearest first; whoever tests leaves some out. */
export function measured(chain: readonly Router[], windowSeconds: number | undefined): Seen[] {
  const nats = chain.flatMap(({ kind }, index) => (kind === 'nat' ? [index + 1] : []));
  const outermost = nats.at(-1);
  const publicV4 = outermost === undefined ? HOST : PUBLIC;
  const wanOf = (ttl: number): string =>
    ttl === outermost && !isPool(chain, ttl) ? PUBLIC : `10.9.${ttl}.2`;
  const sourceAfter = (ttl: number): string => {
    const last = nats.findLast((nat) => nat <= ttl);
    return last === undefined ? HOST : last === outermost ? PUBLIC : `10.9.${last}.2`;
  };
  const owner = outermost !== undefined && !isPool(chain, outermost) ? outermost : undefined;
  const refuser = chain.findIndex(({ refuses }) => refuses) + 1;
  const writes = (ttl: number): boolean => chain.slice(0, ttl).every(({ writesRoute }) => writesRoute);
  return [
    { method: 'own-address', address: HOST },
    { method: 'stun', server: 'relay', address: publicV4 },
    { method: 'distance', routers: chain.length },
    { method: 'opener', outermost: chain.findLastIndex(({ kind }) => kind !== 'plain') + 1 },
    ...(owner === undefined ? [] : [{ method: 'public-echo', ttl: owner } as const]),
    ...(owner === undefined && refuser === 0
      ? []
      : [
          {
            method: 'public-refused',
            ttl: refuser > 0 ? Math.min(refuser, owner ?? 99) : (owner ?? 0),
          } as const,
        ]),
    ...chain.flatMap((router, index): Seen[] => {
      const ttl = index + 1;
      const isAskable = outermost !== undefined && ttl <= outermost;
      return [
        { method: 'trace', ttl, address: isAskable ? `10.9.${ttl - 1}.1` : `11.9.${ttl}.1` },
        ...(writes(ttl) ? [{ method: 'record-route', ttl, address: wanOf(ttl) } as const] : []),
        ...router.speaks
          .filter(
            (protocol) => isAskable && ((router.kind === 'nat' && !router.hasPool) || protocol === 'pcp'),
          )
          .flatMap((protocol): Seen[] => [
            {
              method: 'portmap',
              ttl,
              protocol,
              isSpoken: true,
              ...(protocol === 'pcp' ? {} : { external: router.lies ? '11.77.7.7' : wanOf(ttl) }),
            },
            ...(protocol === 'pcp'
              ? [{ method: 'pcp-source', ttl, address: sourceAfter(ttl - 1) } as const]
              : []),
          ]),
      ];
    }),
    ...(windowSeconds === undefined ? [] : [expiryOf(chain, windowSeconds)]),
  ];
}

function isPool(chain: readonly Router[], ttl: number): boolean {
  return chain[ttl - 1]?.hasPool ?? false;
}

/** What the flows of src/system/nat-probe would come to. */
function expiryOf(chain: readonly Router[], windowSeconds: number): ExpirySeen {
  const routers = chain.length;
  /** Is each router's state still there when packets from inside reach `inside` routers, and from outside as far as `outside`? */
  const deadAt = (inside: number, outside: number): number[] =>
    chain.flatMap(({ kind, timer, countsDying, countsIncoming }, index) => {
      const ttl = index + 1;
      if (kind === 'plain' || timer >= windowSeconds) return [];
      const fromInside = ttl < inside || (ttl === inside && countsDying);
      const fromOutside = countsIncoming && (ttl > outside || (ttl === outside && countsDying));
      return fromInside || fromOutside ? [] : [ttl];
    });
  const all = chain.map((_, index) => index + 1);
  const lost = all.filter((ttl) => deadAt(ttl - 1, ttl + 1).length > 0);
  return {
    method: 'expiry',
    windowSeconds,
    routers,
    lost,
    lostDying: all.filter((ttl) => deadAt(ttl, ttl).length > 0),
    isUnsteady: deadAt(routers + 1, routers + 1).length > 0,
    countsOnlyOutgoing: deadAt(0, 0).length > 0,
    remade: lost.filter((ttl) =>
      deadAt(ttl - 1, ttl + 1).some((dead) => chain[dead - 1]?.kind === 'nat' && chain[dead - 1]?.movesPorts),
    ),
  };
}

export function truthOf(chain: readonly Router[]): number {
  return chain.filter(({ kind }) => kind === 'nat').length;
}
