import { GatewayError } from './errors.ts';
import { formatIpv4, isInRange, parseCidr, parseIpv4, type AddressRange, type Cidr } from './inet.ts';
import type { Network } from './service.ts';

/**
 * How the pool is divided. For 10.64.0.0/20:
 *
 *   10.64.0.1  10.64.0.2  10.64.0.3     hub, edge, tor
 *   10.64.1.2  … 10.64.7.255            services (first half)
 *   10.64.8.1                           the gateway's own end of the WireGuard interface
 *   10.64.8.2  … 10.64.15.254           devices (second half)
 */

/** Pools with a first half smaller than this keep only the first 16 addresses for ourselves. */
const ROOMY_HALF = 512;

function blockOf(pool: string): Cidr {
  const block = parseCidr(pool);
  if (block === undefined || block.bits < 16 || block.bits > 24) {
    throw new GatewayError(`pool ${pool} is not an IPv4 block from /16 to /24`, {
      code: 'ConfigInvalid',
      retry: 'when-changed',
      hint: 'write it like 10.64.0.0/20, with all host bits zero',
    });
  }
  return block;
}

function halfOf(block: Cidr): number {
  return (block.last - block.first + 1) / 2;
}

/** The addresses that every gateway has; without `ula` it has no IPv6. */
export function networkFor(prefix: string, pool: string, ula?: string): Network {
  const { first } = blockOf(pool);
  return {
    prefix,
    pool,
    hub: formatIpv4(first + 1),
    edge: formatIpv4(first + 2),
    tor: formatIpv4(first + 3),
    ...(ula === undefined ? {} : { ula }),
  };
}

export function serviceRange(pool: string): AddressRange {
  const block = blockOf(pool);
  const half = halfOf(block);
  return { first: block.first + (half >= ROOMY_HALF ? 258 : 16), last: block.first + half - 1 };
}

/** Without the interface's own address and the block's last one. */
export function deviceRange(pool: string): AddressRange {
  const block = blockOf(pool);
  return { first: block.first + halfOf(block) + 2, last: block.last - 1 };
}

/** The second half of the pool as one block: what the hub routes into the WireGuard interface. */
export function deviceBlock(pool: string): string {
  const block = blockOf(pool);
  return `${formatIpv4(block.first + halfOf(block))}/${block.bits + 1}`;
}

/** The gateway's own end of the WireGuard interface: the address before the first device. */
export function interfaceAddress(pool: string): string {
  return formatIpv4(deviceRange(pool).first - 1);
}

/** The lowest free address. Throws `AddressPoolExhausted`; `owner` is named in the message. */
export function allocate(range: AddressRange, taken: ReadonlySet<string>, owner: string): string {
  for (let value = range.first; value <= range.last; value += 1) {
    const address = formatIpv4(value);
    if (!taken.has(address)) return address;
  }
  throw new GatewayError(
    `no address is left for ${owner}: ${formatIpv4(range.first)} to ${formatIpv4(range.last)} are all in use`,
    {
      code: 'AddressPoolExhausted',
      retry: 'when-changed',
      hint: 'remove something that is not needed, or choose a larger pool',
    },
  );
}

export interface Allocated {
  readonly addresses: ReadonlyMap<string, string>;
  /** Names for which no address was left. */
  readonly exhausted: readonly string[];
}

/**
 * An address for each name. Who holds one keeps it, unless it lies outside the range (the pool was changed); the
 * others get the lowest free ones, in the order of their names, so that the order of the input never matters.
 */
export function allocateAll(
  range: AddressRange,
  names: Iterable<string>,
  held: ReadonlyMap<string, string>,
): Allocated {
  const sorted = [...new Set(names)].sort();
  const owners = new Map<string, string>();
  for (const name of sorted) {
    const address = held.get(name);
    const value = parseIpv4(address ?? '');
    if (address === undefined || value === undefined) continue;
    if (isInRange(value, range) && !owners.has(address)) owners.set(address, name);
  }
  const addresses = new Map([...owners].map(([address, name]) => [name, address]));
  const exhausted: string[] = [];
  let next = range.first;
  for (const name of sorted) {
    if (addresses.has(name)) continue;
    while (next <= range.last && owners.has(formatIpv4(next))) next += 1;
    if (next > range.last) exhausted.push(name);
    else addresses.set(name, formatIpv4(next));
    next += 1;
  }
  return { addresses, exhausted };
}
