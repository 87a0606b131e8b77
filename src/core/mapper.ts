import { z } from 'zod';
import { CanaryReport } from './canary.ts';
import { MAPPING_PROTOCOLS } from './mapping.ts';
import type { Visit } from './mapping-doubt.ts';
import type { Through } from './through.ts';

/** One port of this machine that is to be reachable from outside. */
export const PortSpec = z.strictObject({
  transport: z.enum(['udp', 'tcp']),
  port: z.int().min(1).max(65_535),
  /** Preferred outside; the router may give another. */
  externalPort: z.int().min(1).max(65_535),
});
export type PortSpec = z.infer<typeof PortSpec>;

/** `udp/51820`: one mapping each. */
export function portKey({ transport, port }: Pick<PortSpec, 'transport' | 'port'>): string {
  return `${transport}/${port}`;
}

const RouterReport = z.object({
  transport: z.enum(['udp', 'tcp']),
  port: z.number(),
  /** `held`: the router says so, which is no proof; `asking`: not asked yet; `failed`: refused, and asked again later. */
  state: z.enum(['held', 'asking', 'failed']),
  protocol: z.enum(MAPPING_PROTOCOLS).nullable(),
  router: z.string().nullable(),
  externalAddress: z.string().nullable(),
  externalPort: z.number().nullable(),
  /** When the lease began or was last renewed. */
  renewedAt: z.string().nullable(),
  /** `null` also for one that lasts until it is deleted. */
  expiresAt: z.string().nullable(),
  /** Why there is none, or why the one that is held is of no use. */
  problem: z.string().nullable(),
  hint: z.string().nullable(),
});
/** A mapping as people see it. Times are ISO 8601. */
export const MappingReport = RouterReport.extend({
  /** What routers farther out gave for it, nearest first; the outside of the mapping is that of the last. */
  through: z.array(RouterReport).exactOptional(),
  /** The same port in the IPv6 firewall of the router; absent where this machine has no public IPv6 address. */
  pinhole: RouterReport.exactOptional(),
});
export type MappingReport = z.infer<typeof MappingReport>;

/** One line of a router's table. */
export const RouterLine = z.object({
  transport: z.enum(['udp', 'tcp']),
  externalPort: z.number(),
  internalAddress: z.string(),
  internalPort: z.number(),
  description: z.string(),
  /** Left; 0: until it is deleted. */
  lifetimeSeconds: z.number(),
  isOurs: z.boolean(),
});
export type RouterLine = z.infer<typeof RouterLine>;

export const PortsReport = z.object({
  mappings: z.array(
    MappingReport.extend({
      /** When a visit from outside last came through, by a way in that needs it; `null`: not since the daemon started. */
      provedAt: z.string().nullable(),
    }),
  ),
  /** Address of the router that is asked; `null` when this machine has none. */
  router: z.string().nullable(),
  /** Routers farther out that the owner allowed to be asked, nearest first. */
  through: z.array(z.string()),
  /** What the router says that everybody mapped; `null` when it cannot be asked that. */
  table: z.array(RouterLine).nullable(),
  /** What strangers found of the router, where nobody can try the UDP port itself; `null`: nobody was asked. */
  canary: CanaryReport.nullable(),
});
export type PortsReport = z.infer<typeof PortsReport>;

export type RouterLook = Pick<PortsReport, 'router' | 'table'>;

/**
 * Keeps ports open in the router: asks, renews, notices when the router forgot. What it keeps outlives the daemon: the
 * next one carries on with the same leases.
 */
export interface Mapper {
  /** What it keeps, also what the daemon before this one kept. Asks nobody. */
  kept(): Promise<readonly { readonly spec: PortSpec; readonly report: MappingReport }[]>;
  /** Takes it up; resolves once the router answered or was given up for now, whatever came of it. */
  keep(spec: PortSpec, signal: AbortSignal): Promise<void>;
  /** Lets go of it and removes it from the router. A router that cannot be reached keeps it until its lease ends. */
  release(spec: PortSpec, signal: AbortSignal): Promise<void>;
  /** Asks the router for its table. */
  look(signal: AbortSignal): Promise<RouterLook>;
  /** Routers farther out that the owner allowed to be asked. */
  through(): Promise<Through | undefined>;
  /** The owner's yes; resolves once each of them was asked. Replaces the one before. */
  openThrough(through: Through, signal: AbortSignal): Promise<void>;
  /** Takes the yes back: what is open there is closed. */
  closeThrough(signal: AbortSignal): Promise<void>;
  /** Somebody outside came in through a port, or could not although we listen; may delete the mapping and make another. */
  visited(visit: Visit, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
