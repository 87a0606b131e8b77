import { z } from 'zod';
import { NAME } from './name.ts';
import { NetworkSpec } from './network-spec.ts';
import type { Privacy } from './service.ts';
import { torInstanceOf } from './tor-instance.ts';

/** How the helper lets services out; a part of the list in operations.ts. */
const Network = z.strictObject({ network: NetworkSpec });
const Done = z.object({});

/** Through the tor that everybody shares, through that of services with privacy tor-only, or directly. */
export const WAYS_OUT = ['tor', 'tor-only', 'direct'] as const;
export type WayOut = (typeof WAYS_OUT)[number];

/** Which way a service with `egress` leaves. */
export function wayOutOf(egress: 'tor' | 'direct', privacy: Privacy): WayOut {
  return egress === 'tor' ? torInstanceOf({ privacy }) : egress;
}

/** Who is let out, and how. Sorted by service. */
export const EgressSpec = z.strictObject({
  services: z.array(
    z.strictObject({
      service: z.string().regex(NAME),
      address: z.ipv4(),
      by: z.enum(WAYS_OUT),
    }),
  ),
});
export type EgressSpec = z.infer<typeof EgressSpec>;

/** Those whose rules we know to tell. */
export const FIREWALLS = ['docker', 'ufw', 'firewalld'] as const;
export type Firewall = (typeof FIREWALLS)[number];

export const SeenEgress = EgressSpec.extend({
  /** Why it must be applied again. */
  renew: z.string().optional(),
  /** Services whose last attempt to leave another firewall of this machine dropped, and the ones found here. */
  held: z.object({ services: z.array(z.string()), firewalls: z.array(z.enum(FIREWALLS)) }).optional(),
});
export type SeenEgress = z.infer<typeof SeenEgress>;

export const EGRESS_OPERATIONS = {
  /**
   * Lets these services out, and nobody else: redirect to tor and masquerade in a table of ours on the host, then the way
   * through the hub. Their own walls are `namespace.ensure`'s.
   */
  'egress.ensure': { input: Network.extend({ egress: EgressSpec }), result: Done },
  'egress.remove': { input: Network, result: Done },
  /** Answers as soon as the host's firewall was changed in a way that may concern us, and after half a minute in any case. */
  'egress.watch': { input: Network, result: z.object({ changed: z.boolean() }) },
} as const;
