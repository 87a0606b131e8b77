import type { DnsAccess } from './dns-config.ts';

/** Public DNS names that we keep: what a host of names is asked, and what it answers. Pure. */

/** Who can be asked: `host` of a zone in gateway.yaml. */
export const DNS_HOSTS = ['desec', 'cloudflare', 'duckdns', 'dyndns2', 'rfc2136', 'command'] as const;

/** TXT is for certificates (DNS-01). */
export type RecordType = 'A' | 'AAAA' | 'TXT';

/** Every record of one name and type; without values the name has none. */
export interface RecordSet {
  /** Lower case, without a final dot. */
  readonly name: string;
  readonly type: RecordType;
  readonly ttlSeconds: number;
  readonly values: readonly string[];
}

/** Whoever answers for a zone, and lets its owner change it: a company's API, a server of one's own. */
export interface DnsHost {
  /** Record types that it can hold for us. */
  readonly types: readonly RecordType[];
  /**
   * Resolves when it said yes to all. `NameRefused` (retry `when-changed`) when asking again would be answered alike;
   * anything else may be tried again later.
   */
  replace(sets: readonly RecordSet[], signal: AbortSignal): Promise<void>;
}

/** `home` of `home.example.net` in `example.net`; empty for the zone itself. */
export function withoutZone(name: string, zone: string): string {
  return name === zone ? '' : name.slice(0, -zone.length - 1);
}

/** Is `name` the zone itself or below it? Both in lower case. */
export function isInZone(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}

/** The longest zone that holds the name. */
export function zoneOf(name: string, zones: Iterable<string>): string | undefined {
  const holding = [...zones].filter((zone) => isInZone(name, zone));
  return holding.sort((a, b) => b.length - a.length)[0];
}

/** A name that is to stand at the home's public address. */
export interface HomeName {
  readonly name: string;
  /** Names below it too. */
  readonly wildcard: boolean;
  readonly zone: string;
  readonly access: DnsAccess;
  /** The name of a page, which devices are not told; absent: the home's own. */
  readonly isForPage?: true;
  /** Where it stands instead of at the home: at a relay. */
  readonly at?: { readonly ipv4: string };
  /** Where it stands besides the home: at a relay. */
  readonly also?: { readonly ipv4: string };
}

/** At most one address of each family. */
export interface NameAddresses {
  readonly ipv4?: string;
  readonly ipv6?: string;
}

/** What we know of a name that we keep. */
export interface KeptName {
  readonly name: HomeName;
  /** What its host said yes to last; empty when it never did. */
  readonly published: NameAddresses;
  /** ISO 8601; of the last yes. */
  readonly publishedAt?: string;
  /** Why it is not as it should be. */
  readonly trouble?: {
    readonly message: string;
    readonly hint?: string;
    /** Milliseconds since the epoch: not asked again before; absent when its host refused for good. */
    readonly againAtMs?: number;
    /** What was asked for: with another address it is worth asking at once. */
    readonly addresses: NameAddresses;
  };
}

/** Short: a phone that lost its tunnel finds the new address as soon as it asks again. */
const HOME_TTL_SECONDS = 60;

/**
 * The record sets that put a name at these addresses; a family without an address has none. Names below it are of pages, at a
 * port that was not tried by IPv6.
 */
export function recordsOf({ name, wildcard, also }: HomeName, { ipv4, ipv6 }: NameAddresses): RecordSet[] {
  const names = wildcard ? [name, `*.${name}`] : [name];
  const setOf = (owner: string, type: 'A' | 'AAAA', value: string | undefined): RecordSet => ({
    name: owner,
    type,
    ttlSeconds: HOME_TTL_SECONDS,
    values: value === undefined ? [] : [value, ...(type === 'A' && also !== undefined ? [also.ipv4] : [])],
  });
  return names.flatMap((owner) => [
    setOf(owner, 'A', ipv4),
    setOf(owner, 'AAAA', owner === name ? ipv6 : undefined),
  ]);
}

/**
 * Why the host must be asked, if it must. Nothing is asked for that is so already: repeats are abuse (dyndns2).
 *
 * | addresses known | as published | trouble                               | ask |
 * | --------------- | ------------ | ------------------------------------- | --- |
 * | none            | any          | any                                   | no: a name is not taken away because a line is down |
 * | some            | the same     | none                                  | no  |
 * | some            | differ       | none                                  | yes |
 * | some            | any          | about other addresses                 | yes |
 * | some            | any          | about these, to be asked again, due   | yes |
 * | some            | any          | about these, not due or refused       | no  |
 */
export function whyPublish(kept: KeptName, addresses: NameAddresses, nowMs: number): string | undefined {
  const wanted = textOf(addresses);
  if (wanted === '') return undefined;
  const { published, trouble } = kept;
  if (trouble === undefined) {
    return textOf(published) === wanted ? undefined : `the public address is ${wanted}`;
  }
  if (textOf(trouble.addresses) !== wanted) return `the public address is ${wanted}`;
  const isDue = trouble.againAtMs !== undefined && nowMs >= trouble.againAtMs;
  return isDue ? 'its host is asked again' : undefined;
}

function textOf({ ipv4, ipv6 }: NameAddresses): string {
  return [ipv4, ipv6].filter((address) => address !== undefined).join(' and ');
}
