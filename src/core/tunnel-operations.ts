import { z } from 'zod';
import { EdgeListen } from './edge-operations.ts';
import { isPrivate } from './inet.ts';
import { NAME } from './name.ts';
import { NetworkSpec } from './network-spec.ts';

/** What the helper does with the tunnels to relays; a part of the list in operations.ts. */
const Name = z.string().regex(NAME);
const PortNumber = z.int().min(1).max(65535);
const WireguardKey = z.string().regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/);
/** An address and no name: whoever looks names up has no privileges. */
const Endpoint = z.string().regex(/^([0-9.]{7,15}|\[[0-9a-f:]{2,39}\]):[0-9]{1,5}$/);
/** In no network of the internet: a relay that lies about it takes nobody's place there. */
const TunnelAddress = z.ipv4().refine(isPrivate, 'must be a private address');

/** Each has a number, which its interface, mark and routing table follow from. */
export const MOST_TUNNELS = 16;
const TunnelNumber = z
  .int()
  .min(0)
  .max(MOST_TUNNELS - 1);

/** What comes out of the tunnel at one TCP port goes to one service, which sees the visitor's own address. */
const TunnelPort = z.strictObject({
  port: PortNumber,
  service: Name,
  to: z.strictObject({ address: z.ipv4(), port: PortNumber }),
  /** It has no way back to visitors but by the hub, and sees them come from there: in a namespace that is not ours. */
  isFromHub: z.literal(true).optional(),
});
export type TunnelPort = z.infer<typeof TunnelPort>;

/** One relay as the hub sees it, and everything that it may send in. */
export const TunnelSpec = z.strictObject({
  relay: Name,
  number: TunnelNumber,
  /** The relay's end. */
  publicKey: WireguardKey,
  /** `host:port` of the relay, in the order to try; only kept beside the interface, never used by the helper. */
  endpoints: z
    .array(z.string().regex(/^[A-Za-z0-9.:[\]-]{3,270}$/))
    .min(1)
    .max(8),
  /** Ours, alone. */
  address: TunnelAddress,
  /** From where the relay passes visitors of web names on; what says that it comes from elsewhere is dropped. */
  relayAddress: TunnelAddress,
  mtu: z.int().min(1280).max(1500),
  /** Ports of the edge to which 443 and 80 of the tunnel's address lead; absent: to nothing. */
  web: EdgeListen.optional(),
  /** Sorted by port. */
  ports: z.array(TunnelPort).max(64),
  /** UDP port of this machine's WireGuard, to which devices come by the relay; absent: they do not. */
  devices: PortNumber.exactOptional(),
});
export type TunnelSpec = z.infer<typeof TunnelSpec>;

const SeenTunnel = z.object({
  number: z.number(),
  spec: TunnelSpec,
  /** Why it must be made again: half made, or damaged by somebody. */
  renew: z.string().optional(),
  publicKey: z.string(),
  /** Where the relay is dialled. */
  endpoint: z.string().optional(),
  /** Seconds since the epoch; 0 before the first. */
  latestHandshake: z.number(),
  received: z.number(),
  sent: z.number(),
});
export type SeenTunnel = z.infer<typeof SeenTunnel>;

export const TUNNEL_OPERATIONS = {
  /**
   * The interface with its key and one peer, its way through the hub and its packet filter. What is open goes on unless it
   * is not wanted any more.
   */
  'tunnel.ensure': {
    input: z.strictObject({
      network: NetworkSpec,
      tunnel: TunnelSpec,
      privateKey: WireguardKey,
      /** Absent: where it was dialled before, if anywhere. */
      endpoint: Endpoint.optional(),
    }),
    result: z.object({ implementation: z.enum(['kernel', 'wireguard-go']) }),
  },
  'tunnel.remove': {
    input: z.strictObject({ network: NetworkSpec, number: TunnelNumber }),
    result: z.object({}),
  },
  /** Ends what visitors have open through one port of the tunnel, also of one that is not open any more. */
  'tunnel.cut': {
    input: z.strictObject({ network: NetworkSpec, number: TunnelNumber, port: PortNumber }),
    result: z.object({}),
  },
  /** From which of its ports this address came to a port of the tunnel; also what is over since a minute or two. */
  'tunnel.visitors': {
    input: z.strictObject({
      network: NetworkSpec,
      number: TunnelNumber,
      port: PortNumber,
      source: z.ipv4(),
    }),
    result: z.object({ ports: z.array(z.number()) }),
  },
  /** Only when each heard of its relay last: cheap enough to be asked often. */
  'tunnel.handshakes': {
    input: z.strictObject({ network: NetworkSpec }),
    result: z.object({
      tunnels: z.array(
        z.object({
          number: z.number(),
          endpoint: z.string().optional(),
          /** Seconds since the epoch; 0 before the first. */
          latestHandshake: z.number(),
        }),
      ),
    }),
  },
  /** Begins a new session with the relay there, at once. What is open goes on. */
  'tunnel.dial': {
    input: z.strictObject({ network: NetworkSpec, number: TunnelNumber, endpoint: Endpoint }),
    result: z.object({}),
  },
  /** Also those that are half made. */
  'tunnel.observe': {
    input: z.strictObject({ network: NetworkSpec }),
    result: z.object({ tunnels: z.array(SeenTunnel) }),
  },
} as const satisfies Record<string, { input: z.ZodType; result: z.ZodType }>;
