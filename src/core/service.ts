import type { NodeAccess } from './node-access.ts';
import type { DeviceRight } from './rights.ts';

/** What a person wants to reach, as the config says it; see docs/reference/config.md. */
export const KINDS = ['http', 'btcpay', 'tcp', 'lnd', 'clnrest', 'electrum', 'bitcoind', 'ssh'] as const;
export type ServiceKind = (typeof KINDS)[number];

export const PRIVACIES = ['open', 'hide-home-address', 'no-clearnet', 'tor-only'] as const;
export type Privacy = (typeof PRIVACIES)[number];

/** How a namespace that is not ours is found: `ip netns` name, process id, name of a container, systemd unit. */
export const ENTERED_BY = ['name', 'pid', 'container', 'unit'] as const;
export type EnteredBy = (typeof ENTERED_BY)[number];

/** `container lnd`, for people. */
export function enteredText({ by, value }: { readonly by: EnteredBy; readonly value: string }): string {
  return by === 'name' ? `namespace ${value}` : by === 'pid' ? `process ${value}` : `${by} ${value}`;
}

/**
 * What a service may reach by itself. `tor`: the internet, and onion services, through our own tor; `direct`: the
 * internet, which sees the home's address. Neither reaches this machine, the LAN or another service.
 */
export const EGRESSES = ['none', 'tor', 'direct'] as const;
export type Egress = (typeof EGRESSES)[number];

/**
 * Where a service listens.
 * `namespace`: a network namespace of its own that we make; isolated.
 * `entered`: a network namespace that somebody else made and keeps; found anew whenever it is replaced. Not isolated: it
 * has interfaces and rules that are not ours.
 * `host`: the machine's own network; not isolated. `target`: another machine of the LAN; not isolated.
 */
export type Place =
  | { readonly type: 'namespace'; readonly name: string }
  | { readonly type: 'entered'; readonly by: EnteredBy; readonly value: string }
  | { readonly type: 'host' }
  | { readonly type: 'target'; readonly host: string };

export interface Service {
  readonly name: string;
  readonly kind: ServiceKind;
  readonly privacy: Privacy;
  /** TCP port that the service listens on. */
  readonly port: number;
  readonly place: Place;
  /** Other services that it may connect to, by name; absent: none. */
  readonly upstreams?: readonly string[];
  /** Absent: none. */
  readonly egress?: Exclude<Egress, 'none'>;
  /** Asked by HTTP/2 without TLS (gRPC); absent: by HTTP/1.1. */
  readonly backend?: 'h2c';
  /** Its name leads to all its ways in at once; absent: to one of them. */
  readonly dns?: 'both';
  /** How the gateway asks it for credentials of devices; absent: not at all. */
  readonly node?: NodeAccess;
  /** Its address in the pool: inside its namespace, or on the host's side of the hub for `host`. */
  readonly address: string;
  /** Who may connect where, as tor (in the host's namespace) sees it: `address:port` to dial. */
  readonly dial: { readonly host: string; readonly port: number };
}

/** A phone or laptop that holds credentials. Owned by the daemon's state, never by the config file. */
export interface Device {
  readonly name: string;
  /** Services that it was given, by name; never "all". */
  readonly services: readonly string[];
  /** Its WireGuard key (Curve25519, base64). The private key was handed out once and is not kept. Absent: needs none. */
  readonly publicKey?: string | undefined;
  /** Its key for onion services that ask for one (x25519, 52 letters of base32); handed out in the same way. */
  readonly onionKey?: string | undefined;
  /** SHA-256 of the certificate that it shows at pages for devices, hex; handed out in the same way. */
  readonly certificate?: string | undefined;
  /** ISO 8601 */
  readonly addedAt: string;
  /** ISO 8601; it is revoked then. Absent: it stays until somebody revokes it. */
  readonly expiresAt?: string | undefined;
  /** What it may do at them that others may not. Absent: nothing. */
  readonly rights?: readonly DeviceRight[] | undefined;
  /** Services that may begin connections to it, which only a server wants (webhooks). Absent: none. */
  readonly reachedBy?: readonly ReachedBy[] | undefined;
}

export interface ReachedBy {
  readonly service: string;
  /** TCP port of the device. */
  readonly port: number;
}

/** Names that the gateway gives to what it makes; `prefix` keeps several gateways on one machine apart. */
export interface Network {
  /** At most 4 characters of `[a-z0-9]`; starts every namespace, interface and table that is ours. */
  readonly prefix: string;
  /** IPv4 pool, CIDR, /16 to /24. */
  readonly pool: string;
  /** The hub's own address; next hop of every service. */
  readonly hub: string;
  /** Source address of the edge (HAProxy) on the link between host and hub. */
  readonly edge: string;
  /** Source address of tor on the link between host and hub. */
  readonly tor: string;
  /** Block of unique local IPv6 addresses, /48 (ula.ts says what is in it). Absent: this gateway has IPv4 only. */
  readonly ula?: string | undefined;
}
