import { isInCidr, isOwners, isPublicUnicast } from '../../core/inet.ts';
import type { MappingProtocol } from '../../core/mapping.ts';
import type { Tri } from '../../core/status.ts';
import type { Evidence, NatHop } from '../types.ts';
import { routersAfter, type Marks } from './marks.ts';
import type { Measurement } from './measurement.ts';
import type { Path } from './path.ts';

/** Those that may translate, and those whose address was seen at least. */
export function hopsOf(measurements: readonly Measurement[], path: Path, marks: Marks): NatHop[] {
  const seen = measurements.flatMap((one) => ('ttl' in one ? [one.ttl] : []));
  const last = Math.max(0, marks.last, ...seen);
  const named = namedEvidence(measurements);
  return routersAfter(0, last).map((ttl) => {
    const portmaps = path.portmapsOf(ttl);
    const speaks = (protocol: MappingProtocol): Tri => {
      const said = portmaps.find((one) => one.protocol === protocol);
      return said === undefined ? 'unknown' : said.isSpoken ? 'yes' : 'no';
    };
    const about = <Key extends 'epochSeconds' | 'model' | 'page' | 'external'>(key: Key) =>
      portmaps.find((one) => one[key] !== undefined)?.[key];
    return {
      ttl,
      lan: path.lanOf(ttl) ?? null,
      wan: path.wanOf(ttl) ?? about('external') ?? null,
      seenSourceByNext: marks.places.find(({ after }) => after === ttl)?.address ?? null,
      stateful: marks.states?.of(ttl) ?? 'unknown',
      translates: marks.of(ttl),
      owner: ownerOf(path, ttl),
      portmap: {
        upnp: speaks('upnp'),
        pmp: speaks('nat-pmp'),
        pcp: speaks('pcp'),
        epoch: about('epochSeconds') ?? null,
      },
      model: about('model') ?? null,
      page: about('page') ?? null,
      evidence: named
        .filter(({ of }) => ('ttl' in of ? of.ttl === ttl : of.method === 'expiry' && ttl <= of.routers))
        .map(({ id }) => id),
    };
  });
}

/** A guess. Providers use 10.0.0.0/8 and 172.16.0.0/12 as well, homes hardly ever behind their first router. */
function ownerOf(path: Path, ttl: number): NatHop['owner'] {
  const lan = path.lanOf(ttl);
  if (ttl === 1) return lan !== undefined && isPublicUnicast(lan) ? 'unknown' : 'yours';
  if (lan === undefined) return 'unknown';
  if (!isOwners(lan)) return 'provider';
  const isOpen = path.portmapsOf(ttl).some(({ isSpoken }) => isSpoken);
  return isOpen || isInCidr(lan, '192.168.0.0/16') ? 'yours' : 'unknown';
}

export function evidenceOf(measurements: readonly Measurement[]): Evidence[] {
  return namedEvidence(measurements).map(({ id, of: { method, at, ...raw } }) => ({
    id,
    method,
    at,
    raw: JSON.parse(JSON.stringify(raw)) as Evidence['raw'],
  }));
}

/** `nat.trace-2`, and where there are several of one kind `nat.stun`, `nat.stun-b`, …: stable as long as the list is. */
function namedEvidence(measurements: readonly Measurement[]): { id: string; of: Measurement }[] {
  const taken = new Map<string, number>();
  return measurements.map((of) => {
    const what = of.method === 'portmap' ? of.protocol : of.method;
    const name = `nat.${what}${'ttl' in of ? `-${of.ttl}` : ''}`;
    const before = taken.get(name) ?? 0;
    taken.set(name, before + 1);
    return { id: before === 0 ? name : `${name}-${before + 1}`, of };
  });
}
