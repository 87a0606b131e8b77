import { z } from 'zod';
import { VANTAGES } from './contract.ts';
import { TOKEN_KINDS } from './node-access.ts';
import { DEVICE_RIGHTS, RIGHTS } from './rights.ts';
import { ADDRESS_SOURCES } from './home.ts';
import { KINDS, PRIVACIES } from './service.ts';

/** Shapes of what is shown; the API serves them unchanged and `--json` prints them unchanged. */

export const Tri = z.enum(['yes', 'no', 'unknown']);
export type Tri = z.infer<typeof Tri>;
export const CONDITION_TYPES = ['Accepted', 'Programmed', 'Published', 'Reachable'] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

export const Condition = z.object({
  type: z.enum(CONDITION_TYPES),
  status: Tri,
  /** Stable CamelCase word. */
  reason: z.string(),
  message: z.string(),
  /** ISO 8601, last change of `status`. */
  since: z.string(),
});
export type Condition = z.infer<typeof Condition>;

/** One word for a way or a service. Derived from conditions, never stored. */
export const PHASES = ['up', 'degraded', 'down', 'pending', 'rejected'] as const;
export const Phase = z.enum(PHASES);
export type Phase = z.infer<typeof Phase>;

export const Way = z.object({
  provider: z.string(),
  /** First address, for people; `null` before there is one. */
  address: z.string().nullable(),
  addresses: z.array(z.object({ url: z.string(), network: z.string(), clientNeeds: z.array(z.string()) })),
  reachable: Tri,
  vantage: z.enum(VANTAGES),
  /** ISO 8601 time of the last visit that proved it. */
  provedAt: z.string().nullable(),
  /** Milliseconds that the last visit took; `null` before the first. */
  tookMs: z.number().nullable(),
  phase: Phase,
  conditions: z.array(Condition),
});
export type Way = z.infer<typeof Way>;

/** Which way in people are told. All stay open; see docs/fallback.md. */
export const FallbackStatus = z.object({
  /** Providers that may be in use, first choice first. */
  order: z.array(z.string()),
  /** The provider in use. */
  way: z.string(),
  /** Another is the first choice. */
  isFallback: z.boolean(),
  /** Nothing works as far as anybody knows. */
  isDark: z.boolean(),
  /** Those that people are told: the one in use, and a proved one where that is not proved itself. */
  advertised: z.array(z.string()),
  why: z.string(),
  /** ISO 8601; it is in use since then. */
  since: z.string(),
});
export type FallbackStatus = z.infer<typeof FallbackStatus>;

/** Is the wallet of a Lightning node open? `message` says what to do. */
export const Unlocked = z.object({ status: Tri, message: z.string() });
export type Unlocked = z.infer<typeof Unlocked>;

export const ServiceStatus = z.object({
  name: z.string(),
  kind: z.enum(KINDS),
  privacy: z.enum(PRIVACIES),
  /** In a network namespace that we made, which nothing reaches but what was declared. */
  isolated: z.boolean(),
  /** Whose namespace we entered (`container lnd`) when we did not make it; `null` otherwise. */
  entered: z.string().nullable(),
  address: z.string(),
  /** Its twin in IPv6; `null` where it has none: on the host, on another machine, on a kernel without IPv6. */
  address6: z.string().nullable(),
  port: z.number(),
  /** Does something listen where the config says? `message` names the fix: "listens on 127.0.0.1 only". */
  listening: z.object({ status: Tri, message: z.string() }),
  /** `null`: it is no node that the gateway may ask. */
  unlocked: Unlocked.nullable(),
  phase: Phase,
  /** `null` when it has no way in that its privacy rule allows. */
  fallback: FallbackStatus.nullable(),
  ways: z.array(Way),
});
export type ServiceStatus = z.infer<typeof ServiceStatus>;

export const DeviceStatus = z.object({
  name: z.string(),
  /** What it may reach. */
  services: z.array(z.string()),
  /** What it may do at them that others may not. */
  rights: z.array(z.enum(DEVICE_RIGHTS)),
  /** Services that may begin connections to this port of it. */
  reachedBy: z.array(z.object({ service: z.string(), port: z.number() })),
  /** What it holds of Lightning nodes: a macaroon or rune of its own. */
  wallets: z.array(z.object({ service: z.string(), kind: z.enum(TOKEN_KINDS), rights: z.enum(RIGHTS) })),
  address: z.string().nullable(),
  /** What it may use of IPv6; a device that was told before there was any does not know it. */
  address6: z.string().nullable(),
  /** Of WireGuard; `null` when it needs none. */
  publicKey: z.string().nullable(),
  /** For onion services that ask for a key; `null` when it needs none. */
  onionKey: z.string().nullable(),
  /** SHA-256 of the certificate that it shows at pages for devices, hex; `null` when it needs none. */
  certificate: z.string().nullable(),
  addedAt: z.string(),
  /** It is revoked then; `null` when it stays. */
  expiresAt: z.string().nullable(),
  latestHandshake: z.string().nullable(),
  /** Where it came from last: `address:port`, or the relay that brought it. */
  endpoint: z.string().nullable(),
});
export type DeviceStatus = z.infer<typeof DeviceStatus>;

const NatRule = z.enum([
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
  'unknown',
]);
/** How the NATs between here and a relay behave (RFC 4787, found out as in RFC 5780). */
export const NatStatus = z.object({
  relay: z.string(),
  /** Where a packet of ours was seen. */
  mapped: z.string(),
  /** When does another destination see another port of ours? */
  mapping: NatRule,
  /** Who gets an answer through, once we spoke to somebody? */
  filtering: NatRule,
  /** The port outside is the one inside. */
  isPortKept: z.boolean(),
});
export type NatStatus = z.infer<typeof NatStatus>;

/** Where the home is on the internet. */
export const AddressStatus = z.object({
  /** Who sees us from farthest outside first. */
  addresses: z.array(
    z.object({
      family: z.union([z.literal(4), z.literal(6)]),
      address: z.string(),
      source: z.enum(ADDRESS_SOURCES),
    }),
  ),
  /** The one that is told to devices and names; `null` when nobody knows one. */
  ipv4: z.string().nullable(),
  /** Those who tell one of IPv4 do not all tell the same: another NAT stands outside the router, or there are two lines. */
  differ: z.boolean(),
  /** `null` when it was not asked for, or no relay could be asked. */
  nat: NatStatus.nullable(),
});
export type AddressStatus = z.infer<typeof AddressStatus>;

/** A machine outside that looks whether ways in work. */
export const RelayStatus = z.object({
  name: z.string(),
  address: z.string(),
  fingerprint: z.string(),
  /** `refused`: it answers, but does not know this gateway. */
  state: z.enum(['up', 'unreachable', 'refused']),
  /** Why it is not up; empty when it is. */
  message: z.string(),
  version: z.string().nullable(),
  /** Those that it listens on; the others than the first are what it dials back from. */
  addresses: z.array(z.string()),
  /** This gateway's address, as the relay sees it. */
  observed: z.string().nullable(),
  /** Of the tunnel in which it carries visitors, as this machine sees it; `null`: it only looks. */
  tunnel: z
    .object({
      /** `unused`: nothing goes by it; `silent`: the relay did not answer yet. */
      state: z.enum(['unused', 'silent', 'up']),
      /** Where the relay is dialled, over UDP. */
      endpoint: z.string().nullable(),
      handshakeAgeSeconds: z.number().nullable(),
      receivedBytes: z.number(),
      sentBytes: z.number(),
      /** How many it carries. */
      names: z.number(),
      ports: z.number(),
    })
    .nullable(),
});
export type RelayStatus = z.infer<typeof RelayStatus>;

export const Status = z.object({
  /** Generation that is applied; `null` before the first `up`. */
  generation: z.number().nullable(),
  /** The owner said `down`: nothing is open until they say `up`. */
  isDown: z.boolean(),
  /** The file differs from what is applied: `gateway up` would change something. */
  fileDiffers: z.boolean(),
  services: z.array(ServiceStatus),
  devices: z.array(DeviceStatus),
  /** Sentences about the whole gateway: 'tor is bootstrapping, 45 %'. */
  notices: z.array(z.string()),
});
export type Status = z.infer<typeof Status>;

/**
 * Accepted | Programmed | Reachable           | phase
 * ---------+------------+---------------------+---------
 * no       | –          | –                   | rejected
 * yes      | no         | –                   | down
 * yes      | unknown    | –                   | pending
 * yes      | yes        | yes                 | up
 * yes      | yes        | no                  | down
 * yes      | yes        | unknown             | pending
 */
export function phaseOf(conditions: readonly Condition[]): Phase {
  const status = (type: ConditionType): z.infer<typeof Tri> =>
    conditions.find((condition) => condition.type === type)?.status ?? 'unknown';
  if (status('Accepted') === 'no') return 'rejected';
  if (status('Programmed') === 'no' || status('Reachable') === 'no') return 'down';
  if (status('Programmed') === 'yes' && status('Reachable') === 'yes') return 'up';
  return 'pending';
}

/** A service is as well as its best way; `degraded` when another of its ways is down or rejected. */
export function phaseOfService(ways: readonly { readonly phase: Phase }[]): Phase {
  const phases = new Set(ways.map((way) => way.phase));
  const broken = phases.has('down') || phases.has('rejected');
  if (phases.has('up')) return broken ? 'degraded' : 'up';
  if (phases.has('pending')) return 'pending';
  return phases.has('down') ? 'down' : phases.has('rejected') ? 'rejected' : 'pending';
}
