import { z } from 'zod';
import { NAME } from './name.ts';

/** Where one service may connect to another. */
export const Upstream = z.strictObject({
  service: z.string().regex(NAME),
  address: z.ipv4(),
  port: z.int().min(1).max(65535),
});
export type Upstream = z.infer<typeof Upstream>;

/** One service's namespace (named `<prefix>-<namespace>`) and link to the hub. `port` is the only one that is let in. */
export const NamespaceSpec = z.strictObject({
  namespace: z.string().regex(NAME),
  address: z.ipv4(),
  port: z.int().min(1).max(65535),
  /** What its own wall and its name server are made for; absent: nothing is let out. */
  egress: z.enum(['tor', 'direct']).optional(),
  /** Other services that it may connect to, sorted by name; absent: none. */
  upstreams: z.array(Upstream).min(1).optional(),
});
export type NamespaceSpec = z.infer<typeof NamespaceSpec>;

/** A service on the host's own network: its pool address lives on the host's side of the link to the hub. */
export const HostServiceSpec = z.strictObject({ address: z.ipv4() });

/** One permitted direction of new connections through the hub. */
export const Flow = z.strictObject({
  /** `host` for the link to the host, `service/<name>` for that of a service, else a WireGuard interface in the hub. */
  via: z.union([
    z.literal('host'),
    z.string().regex(/^[a-z][a-z0-9-]{0,14}$/),
    z.string().regex(/^service\/[a-z][a-z0-9-]{0,31}$/),
  ]),
  source: z.ipv4(),
  address: z.ipv4(),
  protocol: z.enum(['tcp', 'udp']),
  port: z.int().min(1).max(65535),
});
export type Flow = z.infer<typeof Flow>;
