import { z } from 'zod';
import { EnteredPlace } from './entered.ts';
import { Upstream } from './namespace-spec.ts';
import { EdgeClient, EdgeListen, EdgeSite, EdgeTunnel, NetworkSpec, OnionClient } from './operations.ts';
import { PRIVACIES } from './service.ts';
import { TunnelSpec } from './tunnel-operations.ts';

/**
 * What the daemon is about to apply, written to `applied.json` before it does. The helper refuses every operation that
 * this does not justify, so a daemon that was taken over can open nothing that the config does not already open.
 */
export const AppliedService = z.object({
  /** Its onion service may let in only these devices; absent: everybody. */
  onionClients: z.array(OnionClient).optional(),
  /** Its address in the pool. */
  address: z.ipv4(),
  port: z.int().min(1).max(65535),
  /** Other services that it may connect to, by name; absent: none. */
  upstreams: z.array(z.string()).optional(),
  /** Devices that it may connect to; absent: none. */
  sites: z.array(Upstream).optional(),
  /** Web names at which the edge may answer for it; absent: none. */
  domains: z.array(EdgeSite.omit({ service: true, to: true })).optional(),
  /** Absent: `open`. */
  privacy: z.enum(PRIVACIES).optional(),
  /** Its onion service does not hide where it is; absent: it does. */
  isSingleHop: z.literal(true).optional(),
  /** How it leaves; absent: not at all. */
  egress: z.enum(['tor', 'direct']).optional(),
  place: z.discriminatedUnion('type', [
    z.object({ type: z.literal('namespace'), name: z.string() }),
    EnteredPlace.extend({ type: z.literal('entered') }),
    z.object({ type: z.literal('host') }),
    z.object({ type: z.literal('target'), host: z.string() }),
  ]),
});
export type AppliedService = z.infer<typeof AppliedService>;

export const Applied = z.object({
  network: NetworkSpec,
  /** By name. */
  services: z.record(z.string(), AppliedService),
  devices: z.array(
    z.object({
      publicKey: z.string(),
      address: z.ipv4(),
      /** The services that it was given and that are open to it, by name. A file of an earlier version gives none. */
      services: z.array(z.string()).default([]),
    }),
  ),
  /** UDP ports that a WireGuard interface may listen on. */
  ports: z.array(z.int().min(1).max(65535)),
  /** Ports of this machine at which the edge may take visitors of web names; absent: none. */
  listen: EdgeListen.optional(),
  /** Tunnels to relays, and what each may send in; absent: none. */
  tunnels: z.array(TunnelSpec).optional(),
  /** Which names the edge may answer for to each of them; absent: none. */
  edgeTunnels: z.array(EdgeTunnel).optional(),
  /** Devices that the edge may let in by their certificates; absent: none. */
  clients: z.array(EdgeClient).optional(),
});
export type Applied = z.infer<typeof Applied>;
