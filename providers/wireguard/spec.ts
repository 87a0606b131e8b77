import { z } from 'zod';
import type { Network } from '../../src/core/service.ts';
import { parseEndpoint } from '../../src/core/inet.ts';
import { decodeKey, toHex } from '../../src/wire/wireguard.ts';

const Endpoint = z
  .string()
  .max(200)
  .refine((text) => parseEndpoint(text) !== undefined, {
    error: 'must be host:port, like home.example.net:51820, 11.2.0.2:51820 or [2001:db8::1]:51820',
  })
  .describe(
    'Where devices find this gateway from outside: host:port. Left out: the address outside of the router, and the port that it opened.',
  );

export const Settings = z.strictObject({
  port: z.int().min(1).max(65535).default(51820).describe('UDP port that WireGuard listens on.'),
  endpoint: Endpoint.optional(),
  mapping: z
    .enum(['auto', 'off'])
    .default('auto')
    .describe('Have the router open the port by itself (PCP, NAT-PMP, UPnP), and keep it open.'),
  mtu: z
    .int()
    .min(1280)
    .max(1500)
    .optional()
    .describe("Written to devices; without it the app's own is used."),
});
export type Settings = z.infer<typeof Settings>;

export const Options = z.strictObject({});
export type Options = z.infer<typeof Options>;

export interface InterfaceSpec {
  readonly type: 'interface';
  readonly name: string;
  readonly listenPort: number;
  readonly address: string;
  /** As in the config, or `auto` (endpoint.ts). */
  readonly endpoint: string;
}

/** The kernel knows a peer by its key alone: the device's name is not part of the spec. */
export interface PeerSpec {
  readonly type: 'peer';
  readonly interface: string;
  readonly publicKey: string;
  readonly address: string;
}

export type Spec = InterfaceSpec | PeerSpec;

export function interfaceName(network: Network): string {
  return `${network.prefix}wg0`;
}

export const INTERFACE_KEY = 'wireguard/interface';

/** Name of a preshared key, made from the peer's public key: both can be told from what runs, a device's name cannot. */
export function presharedKeyName(publicKey: string): string {
  return `wireguard/peers/${toHex(decodeKey(publicKey) ?? new Uint8Array())}`;
}
