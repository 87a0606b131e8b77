import { deviceBlock } from './allocate.ts';
import { formatIpv4, parseCidr, parseIpv4 } from './inet.ts';
import { formatIpv6, parseIpv6, parseIpv6Cidr } from './inet6.ts';
import type { Network } from './service.ts';

/**
 * IPv6 of a gateway: a /48 of unique local addresses (RFC 4193), chosen once at random. Whatever has an address in the
 * pool has its twin in there, which ends in the same 32 bits: 10.64.1.2 is fd12:3456:789a::a40:102. So there is one thing
 * to allocate, to store and to compare, and who is allowed to reach whom is the same question for both.
 */
type Twinned = Pick<Network, 'ula'>;

/** The address of the same thing in IPv6; `undefined` while the gateway has no IPv6. */
export function twinOf({ ula }: Twinned, address: string): string | undefined {
  const first = parseIpv6Cidr(ula ?? '')?.first;
  const value = parseIpv4(address);
  return first === undefined || value === undefined ? undefined : formatIpv6(first + BigInt(value));
}

/** What stands for a page while its visitor is brought to the edge (helper/door.ts): another network of the block. */
export function doorOf({ ula }: Twinned, address: string): string | undefined {
  const first = parseIpv6Cidr(ula ?? '')?.first;
  const value = parseIpv4(address);
  return first === undefined || value === undefined ? undefined : formatIpv6(first + DOORS + BigInt(value));
}

/** All of those; `undefined` while the gateway has no IPv6. */
export function doorBlock(network: Twinned): string | undefined {
  const first = doorOf(network, '0.0.0.0');
  return first === undefined ? undefined : `${first}/96`;
}

const DOORS = 1n << 64n;

/** The other way round: the last 32 bits. */
export function pooledOf(twin: string): string {
  return formatIpv4(Number(BigInt.asUintN(32, parseIpv6(twin) ?? 0n)));
}

/** `[10.64.1.2/32, fd12:3456:789a::a40:102/128]` */
export function hostBlocks(network: Twinned, address: string): string[] {
  const twin = twinOf(network, address);
  return [`${address}/32`, ...(twin === undefined ? [] : [`${twin}/128`])];
}

/** The devices' half of the pool in IPv6. */
export function deviceBlock6(network: Pick<Network, 'ula' | 'pool'>): string | undefined {
  const block = parseCidr(deviceBlock(network.pool));
  const first = twinOf(network, deviceBlock(network.pool).split('/')[0] ?? '');
  return block === undefined || first === undefined ? undefined : `${first}/${96 + block.bits}`;
}

/** Exactly one form, so that two texts of the same block are equal. */
export function isUla(text: string): boolean {
  const block = parseIpv6Cidr(text);
  return block?.bits === 48 && block.first >> 120n === 0xfdn && text === `${formatIpv6(block.first)}/48`;
}

/** RFC 4193, 3.2.2: fd00::/8 and 40 random bits. */
function ulaFrom(random: Uint8Array): string {
  const id = random.slice(0, 5).reduce((value, byte) => (value << 8n) | BigInt(byte), 0xfdn);
  return `${formatIpv6(id << 80n)}/48`;
}

/** Which of the host's routes lies in the block, or it in the route. Routes shorter than /16 are "everything", cut in parts. */
export function routeIn(ula: string, hostRoutes: readonly string[]): string | undefined {
  const own = parseIpv6Cidr(ula);
  if (own === undefined) return undefined;
  return hostRoutes.find((route) => {
    const block = parseIpv6Cidr(route.includes('/') ? route : `${route}/128`);
    return block !== undefined && block.bits >= 16 && block.first <= own.last && own.first <= block.last;
  });
}

const TRIES = 8;

/** `undefined` when everything is routed by the host already, which cannot be by chance. */
export function chooseUla(
  hostRoutes: readonly string[],
  random: (bytes: number) => Uint8Array,
): string | undefined {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const ula = ulaFrom(random(5));
    if (routeIn(ula, hostRoutes) === undefined) return ula;
  }
  return undefined;
}
