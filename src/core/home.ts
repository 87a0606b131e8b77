import { isPublicUnicast } from './inet.ts';
import type { NameAddresses } from './names.ts';

/** Who told us an address of the home: one of its own interfaces, its router, a STUN server, a relay of ours. */
export const ADDRESS_SOURCES = ['relay', 'stun', 'router', 'interface'] as const;
export type AddressSource = (typeof ADDRESS_SOURCES)[number];

export interface HomeAddress {
  readonly family: 4 | 6;
  readonly address: string;
  readonly source: AddressSource;
  /** Of IPv6: did a visit from outside come in by it, when that was tried last? Absent: it was not tried. */
  readonly cameIn?: boolean;
}

/**
 * The address of each family that the world most probably finds the home at. What two of different kinds tell is believed
 * before what one tells alone, who may lie; then who sees us from farther outside: a router behind another router tells an
 * address that nobody can reach. IPv6 is left out: that it is ours says nothing of whether a visit comes in by it.
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
 *
 * Of IPv6, one by which a visit came in.
 */
export function agreedAddresses(seen: readonly HomeAddress[]): NameAddresses {
  const told = toldFarthestFirst(seen);
  const [first] = told;
  const isUndisputed = told.every(({ address }) => address === first?.address);
  const agreed = confirmedIn(told) ?? (isUndisputed ? first : undefined);
  const open = seen.find(({ family, cameIn }) => family === 6 && cameIn === true);
  return {
    ...(agreed === undefined ? {} : { ipv4: agreed.address }),
    ...(open === undefined ? {} : { ipv6: open.address }),
  };
}

/**
 * Where a name is to be that is at `published`; empty while nothing new is known. What is known of one family alone takes
 * nothing away of the other: a line may be down, and a daemon that has just started has not tried IPv6 yet.
 */
export function nextAddresses(published: NameAddresses, seen: readonly HomeAddress[]): NameAddresses {
  const agreed = agreedAddresses(seen);
  const isUntried = seen.some(({ address, cameIn }) => address === published.ipv6 && cameIn === undefined);
  const ipv6 = agreed.ipv6 ?? (isUntried ? published.ipv6 : undefined);
  if (agreed.ipv4 === undefined && ipv6 === published.ipv6) return {};
  const ipv4 = agreed.ipv4 ?? published.ipv4;
  return { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) };
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
