import { z } from 'zod';
import { isHostName } from '../core/inet.ts';

/**
 * What the part of the relay that faces the network and the part that is root say to each other. The first is believed
 * nothing: a state is taken as a whole or not at all.
 */
const Port = z.int().min(1).max(65535);
const Key = z.string().regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/);
export const HeldPort = z
  .strictObject({ protocol: z.enum(['tcp', 'udp']), from: Port, to: Port })
  .refine(({ from, to }) => to >= from);
export type HeldPort = z.infer<typeof HeldPort>;

/** What one home has here. */
export const Holding = z.strictObject({
  home: z.string().regex(/^[0-9a-f]{16}$/),
  publicKey: Key,
  /** Its address is the first of the block and so many more; the relay itself is 1. */
  number: z.int().min(2).max(4094),
  /** Lower case. */
  names: z
    .array(z.string().refine((name) => isHostName(name) && name.includes('.') && name === name.toLowerCase()))
    .max(1000),
  ports: z.array(HeldPort).max(64),
  devicesPort: Port.nullable(),
});
export type Holding = z.infer<typeof Holding>;

/** What must not be taken by a home: the relay's own. */
export const RelayGround = z.strictObject({
  /** Of the tunnel. */
  publicKey: Key,
  /** A /20; homes and relay are in it. */
  block: z.cidrv4(),
  /** A /64; absent where the machine has no IPv6. */
  block6: z.cidrv6().optional(),
  wireguardPort: Port,
  tlsPort: Port,
  httpPort: Port.nullable(),
  mtu: z.int(),
});
export type RelayGround = z.infer<typeof RelayGround>;

export const PeerSeen = z.strictObject({
  publicKey: Key,
  /** Seconds since the epoch; 0: never. */
  latestHandshake: z.number(),
  received: z.number(),
  sent: z.number(),
});
export type PeerSeen = z.infer<typeof PeerSeen>;

/** One line each way; in the order of the questions. */
export const RootQuestion = z.discriminatedUnion('ask', [
  z.strictObject({ ask: z.literal('ground') }),
  z.strictObject({ ask: z.literal('apply'), holdings: z.array(Holding).max(4093) }),
  z.strictObject({ ask: z.literal('peers') }),
  /** Everything of the relay leaves the machine. */
  z.strictObject({ ask: z.literal('down') }),
]);
export type RootQuestion = z.infer<typeof RootQuestion>;

/** UDP ports for the WireGuard of homes' devices. */
export const DEVICES_PORTS = { from: 51_821, to: 52_820 } as const;

/** Why the state cannot be; `undefined`: it can. Who wrote it checked the same, and may have been taken over since. */
export function faultOf(holdings: readonly Holding[], ground: RelayGround): string | undefined {
  const seen = new Set<string>();
  const twice = (what: string): boolean => seen.size === seen.add(what).size;
  const taken: Record<'tcp' | 'udp', HeldPort[]> = { tcp: [], udp: [] };
  for (const { home, publicKey, number, names, ports, devicesPort } of holdings) {
    for (const what of [`home ${home}`, `key ${publicKey}`, `number ${number}`, ...names]) {
      if (twice(what)) return `two homes have ${what}`;
    }
    for (const port of ports) {
      if (reservedBy(port, ground) !== undefined) return `a home has a port of the relay: ${port.from}`;
      taken[port.protocol].push(port);
    }
    if (devicesPort === null) continue;
    if (devicesPort < DEVICES_PORTS.from || devicesPort > DEVICES_PORTS.to || twice(`udp ${devicesPort}`))
      return `a home has the port ${devicesPort} for devices`;
  }
  return Object.values(taken).some(overlaps) ? 'two homes have one port' : undefined;
}

function overlaps(ports: readonly HeldPort[]): boolean {
  const sorted = ports.toSorted((a, b) => a.from - b.from);
  return sorted.some((port, index) => index > 0 && port.from <= (sorted[index - 1]?.to ?? 0));
}

/** Which port of the relay itself is in the range; a home that had SSH's would lock the owner out. */
export function reservedBy({ protocol, from, to }: HeldPort, ground: RelayGround): number | undefined {
  const own =
    protocol === 'tcp'
      ? [22, ground.tlsPort, ground.httpPort ?? 80, 443, 80]
      : [443, 3478, 3479, 3480, ground.wireguardPort];
  const inside = own.find((port) => port >= from && port <= to);
  if (inside !== undefined || protocol === 'tcp') return inside;
  return from <= DEVICES_PORTS.to && to >= DEVICES_PORTS.from
    ? Math.max(from, DEVICES_PORTS.from)
    : undefined;
}
