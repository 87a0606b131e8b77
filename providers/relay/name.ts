import { isPublicUnicast } from '../../src/core/inet.ts';

export interface NameInput {
  readonly domain: string;
  /** What this machine's resolver says; `undefined`: it does not answer. */
  readonly addresses: readonly string[] | undefined;
  readonly relays: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  /** Addresses of this home, where the name leads to that as well (clearnet); empty where it does not. */
  readonly home: readonly string[];
  /** The gateway keeps it at the relay by itself: `dns.zones` holds it. */
  readonly isKept: boolean;
}

export interface NameState {
  readonly status: 'right' | 'wrong' | 'unknown';
  /** Stable CamelCase word. */
  readonly reason: string;
  readonly message: string;
  /** What its owner has to do at whoever keeps the domain; absent: nothing. */
  readonly advice?: string;
}

/**
 * Does the name lead visitors to the relay?
 *
 *   looked up            | state
 *   ---------------------+---------------------------------------------
 *   no answer            | unknown
 *   nothing              | wrong: not set yet
 *   private ones alone   | unknown: this network has an answer of its own
 *   the relays' alone    | right
 *   theirs, and the home | right where both are ways in
 *   theirs, and others   | wrong: some visitors are sent elsewhere
 *   others               | wrong
 */
export function judgeName({ domain, addresses, relays, home, isKept }: NameInput): NameState {
  if (addresses === undefined) {
    const message = `${domain} could not be looked up: this machine's resolver does not answer`;
    return { status: 'unknown', reason: 'NameUnknown', message };
  }
  const theirs = relays.flatMap((relay) => relay.addresses);
  const names = relays.map(({ name }) => name).join(' and ');
  const advice = isKept || theirs.length === 0 ? {} : { advice: recordsFor(domain, relays) };
  if (addresses.length === 0) {
    const keeper = isKept ? '; the gateway is setting it' : '';
    return {
      status: 'wrong',
      reason: 'NameMissing',
      message: `${domain} has no address yet${keeper}`,
      ...advice,
    };
  }
  const isOpen = (address: string): boolean => address.includes(':') || isPublicUnicast(address);
  if (!addresses.some(isOpen)) {
    const message = `this network's own resolver says ${addresses.join(', ')} for ${domain}; what visitors are told is not known`;
    return { status: 'unknown', reason: 'NameInside', message };
  }
  const strange = addresses.filter((address) => isOpen(address) && !theirs.includes(address));
  const isThere = addresses.some((address) => theirs.includes(address));
  const others = isThere ? strange.filter((address) => !home.includes(address)) : strange;
  if (others.length === 0) {
    const message = `${domain} points to the relay ${names} (${addresses.join(', ')})`;
    return { status: 'right', reason: 'NameRight', message };
  }
  const message = `${domain} points to ${others.join(', ')}, but the relay ${names} is at ${theirs.join(', ') || 'an address that is not known'}`;
  return { status: 'wrong', reason: 'NameElsewhere', message, ...advice };
}

/** Complete: people copy it into a form of their domain's company, where each of the three has a field of its own. */
function recordsFor(domain: string, relays: NameInput['relays']): string {
  const values = relays.flatMap(({ addresses }) => addresses.slice(0, 1));
  const records = values.map((value) => {
    return `name ${domain}, type ${value.includes(':') ? 'AAAA' : 'A'}, value ${value}`;
  });
  return `set this DNS record at whoever keeps the domain: ${records.join('; and ')}`;
}
