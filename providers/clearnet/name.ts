import { isPublicUnicast } from '../../src/core/inet.ts';
import { isPublicIpv6 } from '../../src/core/inet6.ts';
import { isAddress } from '../../src/core/domain.ts';

export interface NameInput {
  readonly domain: string;
  /** What this machine's resolver says; `undefined`: it does not answer. */
  readonly addresses: readonly string[] | undefined;
  /** The public IPv4 address at which the world finds the home; `undefined`: nobody knows, or they tell different ones. */
  readonly home: string | undefined;
  /** All that are told. */
  readonly told: readonly string[];
  /** Public IPv6 addresses of this machine. */
  readonly home6: readonly string[];
  /** It leads to relays as well. */
  readonly isShared: boolean;
  /** The gateway keeps it at the home's address by itself: `dns.zones` holds it. */
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
 * Does the name lead visitors here?
 *
 *   looked up           | the home's address | state
 *   --------------------+--------------------+---------------------------------------------
 *   anything            | not known          | unknown
 *   it is an address    | the same           | right
 *   it is an address    | another            | wrong
 *   no answer           | known              | unknown
 *   nothing             | known              | wrong: not set yet
 *   private ones alone  | known              | unknown: this network has an answer of its own
 *   the home's alone    | known              | right
 *   the home's, others  | known              | right where relays carry it too; else wrong: some visitors are sent elsewhere
 *   others              | known              | wrong
 */
export function judgeName(input: NameInput): NameState {
  const { domain, addresses, home, told, home6, isShared, isKept } = input;
  if (home === undefined) {
    const message =
      told.length > 1
        ? `who sees this home tells different addresses (${told.join(', ')}): see gateway address`
        : 'at which public address this home is, nobody knows yet: see gateway address';
    return { status: 'unknown', reason: 'AddressUnknown', message };
  }
  if (isAddress(domain)) return judgeAddress(domain, home);
  if (addresses === undefined) {
    const message = `${domain} could not be looked up: this machine's resolver does not answer`;
    return { status: 'unknown', reason: 'NameUnknown', message };
  }
  const advice = isKept ? {} : { advice: recordFor(domain, home) };
  if (addresses.length === 0) {
    const keeper = isKept ? '; the gateway is setting it' : '';
    return {
      status: 'wrong',
      reason: 'NameMissing',
      message: `${domain} has no address yet${keeper}`,
      ...advice,
    };
  }
  const open = addresses.filter((address) => isPublicUnicast(address) || isPublicIpv6(address));
  if (open.length === 0) {
    const message = `this network's own resolver says ${addresses.join(', ')} for ${domain}; what visitors are told is not known`;
    return { status: 'unknown', reason: 'NameInside', message };
  }
  const others = open.filter((address) => address !== home && !home6.includes(address));
  if ((others.length === 0 || isShared) && open.includes(home)) {
    return { status: 'right', reason: 'NameRight', message: `${domain} points to this home (${home})` };
  }
  const also = open.includes(home) ? 'also ' : '';
  const message = `${domain} ${also}points to ${others.join(', ') || open.join(', ')}, but this home is at ${home}`;
  return { status: 'wrong', reason: 'NameElsewhere', message, ...advice };
}

function judgeAddress(domain: string, home: string): NameState {
  if (domain === home) {
    return { status: 'right', reason: 'AddressRight', message: `${domain} is this home's address` };
  }
  const message = `this home is at ${home} now, not at ${domain}: expose it at that address, or at a name`;
  return { status: 'wrong', reason: 'AddressChanged', message };
}

/** Complete: people copy it into a form of their domain's company, where each of the three has a field of its own. */
function recordFor(domain: string, home: string): string {
  return `set this DNS record at whoever keeps the domain: name ${domain}, type A, value ${home}`;
}
