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
  const told = toldFarthestFirst(seen);
  const ipv4 = confirmedIn(told) ?? told[0];
  return ipv4 === undefined ? {} : { ipv4: ipv4.address };
}

/**
 * The address that a public name is moved to. Whoever moves the name moves everybody who follows it, so one voice that is
 * contradicted, of a relay that was taken over or of a router behind another one, moves nothing:
 *
 *   who tells a public address    | somebody tells another | the name
 *   ------------------------------+------------------------+------------------------
 *   two of different kinds        | either                 | goes there
 *   one, or several of one kind   | no                     | goes there
 *   one, or several of one kind   | yes                    | stays where it is
 */
export function agreedAddresses(seen: readonly HomeAddress[]): NameAddresses {
  const told = toldFarthestFirst(seen);
  const [first] = told;
  const isUndisputed = told.every(({ address }) => address === first?.address);
  const agreed = confirmedIn(told) ?? (isUndisputed ? first : undefined);
  return agreed === undefined ? {} : { ipv4: agreed.address };
}

function toldFarthestFirst(seen: readonly HomeAddress[]): HomeAddress[] {
  return ADDRESS_SOURCES.flatMap((source) => seen.filter((found) => found.source === source)).filter(
    ({ family, address }) => family === 4 && isPublicUnicast(address),
  );
}

/** What two of different kinds tell. */
function confirmedIn(told: readonly HomeAddress[]): HomeAddress | undefined {
  return told.find(({ address, source }) =>
    told.some((other) => other.address === address && other.source !== source),
  );
}
