import { isIpv6 } from './inet.ts';

/** IPv6 as text and as a number of 128 bits, and CIDR blocks of it. */

export interface Ipv6Cidr {
  /** First and last address, both included. */
  readonly first: bigint;
  readonly last: bigint;
  readonly bits: number;
}

/** As `isIpv6` takes it: eight groups, one `::`, no zone and no embedded IPv4. */
export function parseIpv6(text: string): bigint | undefined {
  if (!isIpv6(text)) return undefined;
  const [head = [], tail = []] = text.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

/** The one canonical form (RFC 5952): what `ip`, `nft` and `wg` print. */
export function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  );
  const [start, length] = longestZeros(groups);
  if (length < 2) return groups.join(':');
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`;
}

/** The first of the longest runs. */
function longestZeros(groups: readonly string[]): readonly [start: number, length: number] {
  let best: readonly [number, number] = [0, 0];
  groups.forEach((_, start) => {
    const end = groups.findIndex((group, index) => index >= start && group !== '0');
    const length = (end === -1 ? groups.length : end) - start;
    if (length > best[1]) best = [start, length];
  });
  return best;
}

/** `undefined` unless it is a block whose host bits are zero. */
export function parseIpv6Cidr(text: string): Ipv6Cidr | undefined {
  const match = /^([0-9a-f:]+)\/(0|[1-9][0-9]{0,2})$/i.exec(text);
  const first = parseIpv6(match?.[1] ?? '');
  const bits = Number(match?.[2]);
  if (first === undefined || bits > 128) return undefined;
  const size = 1n << BigInt(128 - bits);
  return first % size === 0n ? { first, last: first + size - 1n, bits } : undefined;
}

export function isInIpv6Cidr(address: string, cidr: string): boolean {
  const value = parseIpv6(address);
  const block = parseIpv6Cidr(cidr);
  return value !== undefined && block !== undefined && value >= block.first && value <= block.last;
}

/** In the same /48: as much as one network is given by its provider (RFC 6177), so perhaps of the same home. */
export function isSameSite(a: string, b: string): boolean {
  const [first, second] = [parseIpv6(a), parseIpv6(b)];
  return first !== undefined && second !== undefined && first >> 80n === second >> 80n;
}

/** Global unicast is 2000::/3 (RFC 4291); of that, blocks in which no address is one host on the internet (IANA registry). */
const NOT_PUBLIC_IPV6: readonly string[] = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

/** An IPv6 address of one host on the public internet: not unique-local, link-local, multicast, documentation … */
export function isPublicIpv6(address: string): boolean {
  return isInIpv6Cidr(address, '2000::/3') && !NOT_PUBLIC_IPV6.some((block) => isInIpv6Cidr(address, block));
}
