/** Public DNS names that we keep: what a host of names is asked, and what it answers. Pure. */

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
