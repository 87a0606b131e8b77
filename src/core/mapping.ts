import { GatewayError, type Retry } from './errors.ts';
import { isInRange, parseCidr, parseIpv4 } from './inet.ts';

/**
 * What a router is asked for, what it gave, and the seam that every mapping protocol is driven through. Pure types: the
 * drivers are in src/system/mapping, their codecs in src/wire. What a driver does with one question is its own business
 * (retransmission, discovery, fall-backs of the protocol); when to ask again is the lease machine's alone.
 */

/** In the order in which they are tried. */
export const MAPPING_PROTOCOLS = ['pcp', 'nat-pmp', 'upnp'] as const;
export type MappingProtocol = (typeof MAPPING_PROTOCOLS)[number];

/** As their specifications write them. */
export const PROTOCOL_NAMES = { pcp: 'PCP', 'nat-pmp': 'NAT-PMP', upnp: 'UPnP' } as const;

export type Transport = 'udp' | 'tcp';

/** One port to be opened, or kept open: renewing is asking again for the same. */
export interface MappingRequest {
  readonly transport: Transport;
  /** Our address as the router sees it: the one that this machine's packets to the router carry. */
  readonly internalAddress: string;
  readonly internalPort: number;
  /** What we would like, from 1 to 65535; the router may give another. Never 0, which UPnP takes for every port. */
  readonly externalPort: number;
  /** What we had, so that a router that forgot gives the same again (RFC 6887 11.2.1). */
  readonly externalAddress?: string;
  /** 0: until it is deleted. Only for a router that refused every other lease (UPnP 725, 402). */
  readonly lifetimeSeconds: number;
  /** What the router's own pages show. It carries our mark, by which we know what we may remove. */
  readonly description: string;
  /** 24 hex digits, the same for the life of a mapping: whoever has it may change and remove the mapping (PCP only). */
  readonly nonce: string;
}

/** What the router gave, as read back where the protocol can. */
export interface Lease {
  readonly protocol: MappingProtocol;
  /** The address that was asked. */
  readonly router: string;
  readonly transport: Transport;
  readonly internalAddress: string;
  readonly internalPort: number;
  readonly externalPort: number;
  /** As the router says; nobody else has confirmed it. Absent when it does not say, or says what cannot be one. */
  readonly externalAddress?: string;
  /** 0: until it is deleted. */
  readonly lifetimeSeconds: number;
  readonly nonce: string;
  readonly description: string;
  /** What the router said of itself in the same answer. */
  readonly mark: RouterMark;
}

/** By which we notice that a router forgot what it promised. Each protocol knows some of them. */
export interface RouterMark {
  /** Seconds since the router forgot everything: PCP's and NAT-PMP's epoch, UPnP's `NewUptime`. */
  readonly epochSeconds?: number;
  /** Differs after each restart: UPnP's `BOOTID.UPNP.ORG`, or the device's UUID. */
  readonly bootId?: string;
}

/** One line of a router's table. */
export interface RouterEntry {
  readonly transport: Transport;
  readonly externalPort: number;
  readonly internalAddress: string;
  readonly internalPort: number;
  readonly description: string;
  /** Left; 0: until it is deleted. */
  readonly lifetimeSeconds: number;
}

/** A cheap look at a mapping: what is left out, the protocol cannot tell. */
export interface LeaseCheck {
  readonly mark: RouterMark;
  /** `false`: the entry is gone, or leads somewhere else. */
  readonly isThere?: boolean;
  /** Left. */
  readonly lifetimeSeconds?: number;
  readonly externalAddress?: string;
}

/**
 * One router, one protocol. Every call rejects with `MappingError`, or `Aborted` when the signal says so, and ends by
 * itself within a minute. Answers count only when they come from `router`.
 */
export interface MappingDriver {
  readonly protocol: MappingProtocol;
  /** Address that is asked. */
  readonly router: string;
  map(request: MappingRequest, signal: AbortSignal): Promise<Lease>;
  /** Resolves once the router has no such mapping of ours; also when it had none. */
  unmap(lease: Lease, signal: AbortSignal): Promise<void>;
  /** One question, at most a few packets, changing nothing. */
  check(lease: Lease, signal: AbortSignal): Promise<LeaseCheck>;
  /** Everything in the router's table, also what others mapped; `undefined` when the protocol has no such question. */
  list(signal: AbortSignal): Promise<readonly RouterEntry[] | undefined>;
  /** Absent when the router has none, does not tell, or cannot without mapping something. */
  externalAddress(signal: AbortSignal): Promise<string | undefined>;
}

/**
 * Why a router did not do it; what decides what is tried next.
 *
 *   silent           nobody answered
 *   unsupported      answers, but does not speak this protocol, or not this part of it
 *   not-authorized   its owner has switched it off, or forbids this port
 *   conflict         the external port belongs to somebody else
 *   no-resources     its table is full
 *   no-address       it has no public address itself: a NAT further out, or no line
 *   address-mismatch a NAT stands between us and it (RFC 6887 8.3)
 *   failed           anything else that it answered
 */
export type MappingRefusal =
  | 'silent'
  | 'unsupported'
  | 'not-authorized'
  | 'conflict'
  | 'no-resources'
  | 'no-address'
  | 'address-mismatch'
  | 'failed';

export interface MappingErrorDetails {
  readonly refusal: MappingRefusal;
  readonly hint?: string;
  readonly cause?: unknown;
  readonly retry?: Retry;
}

/** The message names router, protocol and what it answered; `refusal` is for the machine. */
export class MappingError extends GatewayError {
  readonly refusal: MappingRefusal;

  constructor(message: string, { refusal, ...details }: MappingErrorDetails) {
    super(message, { code: 'MappingFailed', ...details });
    this.name = 'MappingError';
    this.refusal = refusal;
  }
}

const NO_ROUTER = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].flatMap(
  (text) => parseCidr(text) ?? [],
);

/**
 * Could a router have it on its outside? Private and shared addresses too: there is another NAT then, which is worth
 * knowing. Cheap routers say 0.0.0.0 while their line is down, and some their loopback.
 */
export function isRouterAddress(address: string): boolean {
  const value = parseIpv4(address);
  return value !== undefined && !NO_ROUTER.some((block) => isInRange(value, block));
}
