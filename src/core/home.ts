import { isPublicUnicast } from './inet.ts';
import type { NameAddresses } from './names.ts';

/** Who told us an address of the home: one of its own interfaces, its router, a STUN server, a relay of ours. */
export const ADDRESS_SOURCES = ['relay', 'stun', 'router', 'interface'] as const;
export type AddressSource = (typeof ADDRESS_SOURCES)[number];

export interface HomeAddress {
  readonly family: 4 | 6;
  readonly address: string;
  readonly source: AddressSource;
}

/**
 * The address of each family that the world most probably finds the home at. What two of different kinds tell is believed
 * before what one tells alone, who may lie; then who sees us from farther outside: a router behind another router tells an
 * address that nobody can reach. IPv6 is always left out: nothing proves yet that a visit comes in by it.
 */
export function believedAddresses(seen: readonly HomeAddress[]): NameAddresses {
  const told = ADDRESS_SOURCES.flatMap((source) => seen.filter((found) => found.source === source)).filter(
    ({ family, address }) => family === 4 && isPublicUnicast(address),
  );
  const isConfirmed = ({ address, source }: HomeAddress): boolean =>
    told.some((other) => other.address === address && other.source !== source);
  const ipv4 = told.find(isConfirmed) ?? told[0];
  return ipv4 === undefined ? {} : { ipv4: ipv4.address };
}
