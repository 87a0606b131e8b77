/** IPv4 as text and as a number from 0 to 2^32 - 1, CIDR blocks, and who an address belongs to. */

/** First and last address, both included. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

export interface Cidr extends AddressRange {
  readonly bits: number;
}

/** `host:port` as people write it; `host` without the brackets of IPv6. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly type: 'name' | 'ipv4' | 'ipv6';
}

const OCTET = /^(0|[1-9][0-9]{0,2})$/;

/** Strict dotted decimal: `010.0.0.1` and `1.2.3` mean different things to different programs, so they are refused. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!OCTET.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

/** `undefined` unless it is a block whose host bits are zero. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([0-9.]+)\/(0|[1-9][0-9]?)$/.exec(text);
  const first = parseIpv4(match?.[1] ?? '');
  const bits = Number(match?.[2]);
  if (first === undefined || bits > 32) return undefined;
  const size = 2 ** (32 - bits);
  return first % size === 0 ? { first, last: first + size - 1, bits } : undefined;
}

export function isInCidr(address: string, cidr: string): boolean {
  const value = parseIpv4(address);
  const block = parseCidr(cidr);
  return value !== undefined && block !== undefined && isInRange(value, block);
}

export function isInRange(value: number, range: AddressRange): boolean {
  return value >= range.first && value <= range.last;
}

export function overlaps(a: AddressRange, b: AddressRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** Blocks of which no address is one host on the internet (IANA special-purpose registry, RFC 6890 and later). */
export const NOT_PUBLIC: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
];
const NOT_PUBLIC_BLOCKS: readonly Cidr[] = NOT_PUBLIC.flatMap((text) => parseCidr(text) ?? []);

/** An IPv4 address of one host on the public internet: not private, shared (CGNAT), multicast, documentation … */
export function isPublicUnicast(address: string): boolean {
  const value = parseIpv4(address);
  return value !== undefined && !NOT_PUBLIC_BLOCKS.some((block) => isInRange(value, block));
}

const PRIVATE: readonly Cidr[] = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].flatMap(
  (text) => parseCidr(text) ?? [],
);

/** RFC 1918. */
export function isPrivate(address: string): boolean {
  const value = parseIpv4(address);
  return value !== undefined && PRIVATE.some((block) => isInRange(value, block));
}

/** Eight groups in hexadecimal, one `::`, no zone and no embedded IPv4. */
export function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

/** A DNS name: labels of letters, digits and inner hyphens (RFC 1123), at most 253 characters, not all digits. */
export function isHostName(text: string): boolean {
  if (text.length > 253 || /^[0-9.]+$/.test(text)) return false;
  return text.split('.').every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
}

/** `home.example.net:51820`, `11.2.0.2:51820` or `[2001:db8::1]:51820`. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):([1-9][0-9]{0,4})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) return undefined;
  if (match[1] !== undefined) return isIpv6(match[1]) ? { host: match[1], port, type: 'ipv6' } : undefined;
  const host = match[2] ?? '';
  if (parseIpv4(host) !== undefined) return { host, port, type: 'ipv4' };
  return isHostName(host) ? { host, port, type: 'name' } : undefined;
}

export function formatEndpoint(endpoint: Pick<Endpoint, 'host' | 'port'>): string {
  return `${endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`;
}

/** Could this box be the owner's? One at a shared address (100.64.0.0/10, RFC 6598) or a public one is a provider's. */
export function isOwners(router: string): boolean {
  return isPrivate(router);
}
