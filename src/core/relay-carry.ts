import { z } from 'zod';
import { isHostName, parseEndpoint } from './inet.ts';

/** What a home asks its relay to carry, and the WireGuard tunnel in which it comes. Part of the language in relay.ts. */
const MAX_CARRIED_NAMES = 1000;
const MAX_CARRIED_PORTS = 64;

/** 32 bytes, base64 as WireGuard writes it. */
const WireGuardKey = z.string().regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, {
  error: 'must be a WireGuard key: 44 characters of base64',
});
const Port = z.int().min(1).max(65535);
const Endpoint = z
  .string()
  .max(270)
  .refine((text) => parseEndpoint(text) !== undefined, { error: 'must be host:port' });

/** The home's end of the tunnel. Its private key is made at home and stays there. */
export const HomeTunnel = z.strictObject({ publicKey: WireGuardKey });

const tunnelShape = {
  publicKey: WireGuardKey.describe("The relay's end of the tunnel."),
  endpoints: z.array(Endpoint).min(1).max(8).describe('UDP, in the order to try.'),
  address: z.ipv4().describe("This home's address in the tunnel, alone (/32)."),
  relayAddress: z.ipv4().describe('The address from which the relay passes on what visitors say.'),
  address6: z.ipv6().optional().describe('The same as address, for IPv6 (/128).'),
  relayAddress6: z.ipv6().optional().describe('The same as relayAddress, for IPv6.'),
  mtu: z.int().min(1280).max(1500).optional().describe('Of the interface; 1420 when left out.'),
};
/** WireGuard over IPv4 and a line of 1500. */
export const USUAL_TUNNEL_MTU = 1420;

/** The relay's end, as the relay tells it. */
export const RelayTunnel = z.object(tunnelShape);
export type RelayTunnel = z.infer<typeof RelayTunnel>;

/** The same, as it stands in gateway.yaml. */
export const RelayTunnelSettings = z.strictObject(tunnelShape);

const CarriedName = z
  .string()
  .max(253)
  .refine((name) => isHostName(name) && name.includes('.') && name === name.toLowerCase(), {
    error: 'must be a web name in small letters, like pay.example.com',
  });
/** From one port to another, both included; without `to` that one alone. */
const carriedPortShape = { protocol: z.enum(['tcp', 'udp']), from: Port, to: Port.optional() };
const CarriedPort = z
  .strictObject(carriedPortShape)
  .refine(({ from, to }) => to === undefined || to >= from, { error: 'the range ends before it begins' });

/** The complete set each time: what is not in it any more is not carried any more. */
export const RelayCarry = z.strictObject({
  names: z.array(CarriedName).max(MAX_CARRIED_NAMES),
  ports: z.array(CarriedPort).max(MAX_CARRIED_PORTS),
  /** A UDP port for the WireGuard of this home's devices. */
  devices: z.boolean(),
});
export type RelayCarry = z.infer<typeof RelayCarry>;

/** `why`, when it was not granted, is for the owner of the home. */
const verdictShape = { granted: z.boolean(), why: z.string().max(200).optional() };

/** In the order of the question. First come, first served, over all homes of the relay. */
export const RelayCarried = z.object({
  names: z.array(z.object({ name: CarriedName, ...verdictShape })).max(MAX_CARRIED_NAMES),
  ports: z.array(z.object({ ...carriedPortShape, ...verdictShape })).max(MAX_CARRIED_PORTS),
  /** On every address of the relay; `null` when none was asked for, or none is left. */
  devicesPort: Port.nullable(),
});
export type RelayCarried = z.infer<typeof RelayCarried>;

/** How the tunnel of the home that asks is. `null` in its place: the relay carries nothing, or this home has no tunnel. */
export const RelayCarrying = z.object({
  /** TCP ports of the relay where visitors of names come in. */
  tlsPort: Port,
  /** `null`: another program has port 80, so HTTP-01 does not work by this relay. */
  httpPort: Port.nullable(),
  /** `null`: never since the relay's interface is up. */
  handshakeAgeSeconds: z.number().min(0).nullable(),
  /** By the relay, from home and to it. */
  receivedBytes: z.number().min(0),
  sentBytes: z.number().min(0),
  names: z.array(CarriedName).max(MAX_CARRIED_NAMES),
  ports: z.array(z.object(carriedPortShape)).max(MAX_CARRIED_PORTS),
  devicesPort: Port.nullable(),
});
export type RelayCarrying = z.infer<typeof RelayCarrying>;
