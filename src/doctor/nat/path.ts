import type { Measurement, PortmapSeen } from './measurement.ts';

type Of<Method extends Measurement['method']> = Extract<Measurement, { method: Method }>;

/** The source address of our packets once they are past router `after`; 0: as they leave this machine. */
export interface Place {
  readonly after: number;
  readonly address: string;
}

/** What the measurements say of addresses on the way. */
export interface Path {
  readonly publicV4: string | undefined;
  /** Where the address that our packets carry was seen, the nearest first, one for each place. */
  readonly places: readonly Place[];
  /** Routers whose own address outside others see our packets come from. */
  readonly translators: readonly number[];
  /** Where it is, if gateways tell the truth which have no other addresses outside: good for a bound, and for no proof. */
  readonly toldPlaces: readonly Place[];
  /** The nearest router that has our public address as its own: nothing beyond it translates. */
  readonly owner: number | undefined;
  /** It wrote that down, or echoed; false: something refused, which a firewall may have done. */
  readonly isOwnerProved: boolean;
  /** It wrote that down. */
  readonly isOwnerRecorded: boolean;
  /** How many routers there are. */
  readonly routers: number | undefined;
  /** Measurements of the same thing differ. */
  readonly isContradictory: boolean;
  lanOf(ttl: number): string | undefined;
  wanOf(ttl: number): string | undefined;
  portmapsOf(ttl: number): readonly PortmapSeen[];
}

export function pathOf(measurements: readonly Measurement[]): Path {
  const of = <Method extends Measurement['method']>(method: Method): Of<Method>[] =>
    measurements.filter((one): one is Of<Method> => one.method === method);
  const publics = new Set(of('stun').flatMap(({ address }) => (address.includes(':') ? [] : [address])));
  const [publicV4] = publics.size === 1 ? publics : [];
  const recorded = of('record-route').map(({ ttl, address }) => ({ after: ttl, address }));
  const owners = ownersOf(publicV4, recorded, of('public-echo'));
  const refused = of('public-refused').map(({ ttl }) => ttl);
  const home = of('own-address').map(({ address }) => ({ after: 0, address }));
  const sources = of('pcp-source').map(({ ttl, address }) => ({ after: ttl - 1, address }));
  const confirmed = confirmedBySource(recorded, sources);
  const places = [...home, ...sources, ...confirmed];
  const distances = of('distance').map(({ routers }) => routers);
  const isOne = (numbers: readonly number[]): boolean => new Set(numbers).size <= 1;
  return {
    publicV4,
    places: onePerPlace(places),
    translators: confirmed.map(({ after }) => after),
    toldPlaces: confirmedByWord(recorded, of('portmap')),
    owner: owners[0] ?? refused[0],
    isOwnerProved: owners.length > 0,
    isOwnerRecorded: recorded.some(({ after, address }) => after === owners[0] && address === publicV4),
    routers: distances[0],
    isContradictory:
      publics.size > 1 ||
      !isOne([...owners, ...refused]) ||
      !isOne(distances) ||
      isAnyTwice(places) ||
      isAnyTwice(recorded),
    lanOf: (ttl) => of('trace').find((one) => one.ttl === ttl)?.address,
    wanOf: (ttl) =>
      recorded.find(({ after }) => after === ttl)?.address ?? (ttl === owners[0] ? publicV4 : undefined),
    portmapsOf: (ttl) => of('portmap').filter((one) => one.ttl === ttl),
  };
}

/** A router farther out sees an address that one router alone wrote down as its own: past that one, packets carry it. */
function confirmedBySource(recorded: readonly Place[], sources: readonly Place[]): Place[] {
  return sources.flatMap((source) => {
    const [found, ...others] = recorded.filter(({ address }) => address === source.address);
    return found === undefined || others.length > 0 || found.after > source.after ? [] : [found];
  });
}

/** A gateway that tells as its address outside the one that its packets leave by. One alone may lie. */
function confirmedByWord(recorded: readonly Place[], portmaps: readonly PortmapSeen[]): Place[] {
  return recorded.filter(({ after, address }) =>
    portmaps.some(({ ttl, external, isSpoken, protocol }) => {
      return ttl === after && isSpoken && protocol !== 'pcp' && external === address;
    }),
  );
}

/** This machine itself is 0, and no router. */
function ownersOf(
  publicV4: string | undefined,
  recorded: readonly Place[],
  echoed: readonly Of<'public-echo'>[],
): number[] {
  const wrote = recorded.filter(({ address }) => address === publicV4).map(({ after }) => after);
  const owners = [...wrote, ...echoed.map(({ ttl }) => ttl)].filter((ttl) => ttl > 0);
  return owners.sort((a, b) => a - b);
}

/** In order; where measurements of one place differ, nothing is known of it. */
export function onePerPlace(places: readonly Place[]): Place[] {
  const isClear = ({ after, address }: Place): boolean =>
    places.every((other) => other.after !== after || other.address === address);
  const clear = new Map(places.filter(isClear).map((place) => [place.after, place]));
  return [...clear.values()].sort((a, b) => a.after - b.after);
}

function isAnyTwice(places: readonly Place[]): boolean {
  return onePerPlace(places).length < new Set(places.map(({ after }) => after)).size;
}

/** NAT-PMP and UPnP's gateways are spoken by what translates; PCP by firewalls, too (RFC 6887 1). */
export function isGateway(path: Path, ttl: number): boolean {
  return path.portmapsOf(ttl).some(({ protocol, isSpoken }) => isSpoken && protocol !== 'pcp');
}
