import { formatIpv4, parseCidr } from '../core/inet.ts';
import { formatIpv6, parseIpv6Cidr } from '../core/inet6.ts';
import type { RelayGround } from './state.ts';

type Block = Pick<RelayGround, 'block' | 'block6'>;

/** Number of the relay's own end. */
export const RELAY_NUMBER = 1;

/** The address in the tunnel with this number. */
export function addressIn({ block }: Block, number: number): string {
  return formatIpv4((parseCidr(block)?.first ?? 0) + number);
}

export function address6In({ block6 }: Block, number: number): string | undefined {
  const first = parseIpv6Cidr(block6 ?? '')?.first;
  return first === undefined ? undefined : formatIpv6(first + BigInt(number));
}

/** One more byte than a /16 has: which of the sixteen /20 of 10.127.0.0/16; two relays of one home seldom have the same. */
export function blockFrom(random: number): string {
  return `10.127.${(random % 16) * 16}.0/20`;
}

/** RFC 4193, 3.2.2: fd00::/8, 40 random bits, and the first of its networks. */
export function block6From(random: Uint8Array): string {
  const id = random.slice(0, 5).reduce((value, byte) => (value << 8n) | BigInt(byte), 0xfdn);
  return `${formatIpv6(id << 80n)}/64`;
}
