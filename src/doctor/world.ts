import type { Status } from '../core/status.ts';
import type { AnonymousInstance } from '../core/tor-instance.ts';
import type { Mode, NatReport } from './types.ts';

/**
 * What checks may do to find out; src/system/doctor does it. Nothing here changes anything. What could not be had is a
 * value and no exception: a check reports it. Every promise ends early, by an `Aborted`, when the signal says so.
 */
export interface World {
  /** Milliseconds since the epoch. */
  now(): number;
  readonly machine: Machine;
  /** Asked once, and the same answer given to every check. */
  gateway(): Promise<GatewayState>;
  /** An answer of the gateway's API. Rejects with `GatewayError`. */
  ask<Answer>(path: string, signal: AbortSignal): Promise<Answer>;
  /** What a directory of the gateway has left; directories that are not there yet count as the nearest above. */
  disks(): Promise<readonly Disk[]>;
  /** What packets to the internet leave this machine by; sends nothing. `undefined`: there is no way out. */
  wayOut(family: 4 | 6, signal: AbortSignal): Promise<WayOut | undefined>;
  /** Default routes of IPv4 in the main table. */
  defaultRoutes(): Promise<readonly DefaultRoute[]>;
  /** GET of a page without TLS, not followed elsewhere. `address`: connect there, whatever the name says. */
  page(url: string, signal: AbortSignal): Promise<PageSeen>;
  /** Addresses of a name by this machine's own resolver. */
  lookup(name: string, family: 4 | 6, signal: AbortSignal): Promise<Looked>;
  /** The same as the servers of the name's own zone say; `undefined`: they could not be asked. */
  lookupAtSource(name: string, signal: AbortSignal): Promise<Looked | undefined>;
  /** Servers that this machine's resolver asks. */
  resolvers(): readonly string[];
  /** Where a STUN server at `host:port` sees us. */
  stun(server: string, family: 4 | 6, signal: AbortSignal): Promise<StunSeen>;
  /** What a program printed; `undefined`: it is not on this machine, or did not end in time. Never through a shell. */
  program(argv: readonly [string, ...string[]], signal: AbortSignal): Promise<Printed | undefined>;
  /** Sockets that wait for somebody, TCP and UDP; `undefined`: nobody here could tell. */
  listeners(signal: AbortSignal): Promise<readonly Listener[] | undefined>;
  /** What the nearest router says of itself by UPnP; `undefined`: it says nothing. */
  router(signal: AbortSignal): Promise<RouterSeen | undefined>;
  /** How many routers translate addresses on the way out. Takes no longer than the mode says; changes nothing. */
  nat(mode: Mode, isOffline: boolean, signal: AbortSignal): Promise<NatReport>;
  /** Does something accept a TCP connection there? */
  connect(host: string, port: number, signal: AbortSignal): Promise<Connected>;
  /** GET through one of the gateway's tor processes, and in no other way; not followed elsewhere. */
  visit(visit: Visit, signal: AbortSignal): Promise<Visited>;
}

export interface Machine {
  readonly isRoot: boolean;
  /** Docker, podman, LXC …; `undefined`: none that shows. */
  readonly container: string | undefined;
  /** `6.1.0-30-amd64` */
  readonly kernel: string;
}

/**
 *   running  it answered
 *   stopped  it is set up here (there is a gateway.yaml), and does not answer
 *   denied   this user may not ask it
 *   none     no gateway was ever set up here
 */
export type GatewayState =
  | { readonly state: 'running'; readonly status: Status }
  | { readonly state: 'stopped' | 'denied' | 'none'; readonly why: string };

export interface Disk {
  readonly path: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Files that can still be made; 0 also for file systems without such a limit, which have `totalFiles` 0. */
  readonly freeFiles: number;
  readonly totalFiles: number;
  readonly isReadOnly: boolean;
}

export interface WayOut {
  /** Ours, that packets carry. */
  readonly address: string;
  readonly interface: string;
  /** `null`: the far end is on a line of two ends, or routing policy hides it. */
  readonly gateway: string | null;
  readonly kind: InterfaceKind;
  readonly mtu: number | undefined;
}

export interface DefaultRoute {
  readonly interface: string;
  readonly gateway: string;
  readonly metric: number;
}

/** `tunnel`: what VPNs use. `line`: PPP, which is how some providers are dialled. */
export type InterfaceKind = 'ordinary' | 'tunnel' | 'line' | 'loopback';

export type PageSeen =
  | {
      readonly status: number;
      /** At most 4 KiB. */
      readonly body: string;
      readonly location: string | undefined;
      /** What the far end's clock says, in milliseconds since the epoch. */
      readonly date: number | undefined;
      /** When the answer came, by our clock: milliseconds since the epoch. */
      readonly at: number;
      /** From question to answer. */
      readonly ms: number;
    }
  | { readonly failure: Failure };

/** `name`: it has no address. */
export type Failure = 'name' | 'refused' | 'silent' | 'unreachable' | 'malformed';

/** `silent`: no resolver answered. */
export type Looked =
  | { readonly addresses: readonly string[] }
  | {
      readonly failure: 'silent' | 'refused' | 'no-such-name';
      /** As the resolver says it: `ETIMEOUT`. */
      readonly why?: string;
    };

export type StunSeen = { readonly address: string } | { readonly failure: 'name' | 'silent' };

export type Connected = 'open' | 'refused' | 'silent' | 'unreachable';

export interface Visit {
  readonly by: AnonymousInstance;
  /** An onion, or a name or address that an exit finds. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly path: string;
}

export interface Visited {
  /** `undefined`: nothing answered as a page does. */
  readonly page: SitePage | undefined;
  /** Whatever was shown; nobody checked it. */
  readonly certificate: SiteCertificate | undefined;
  /** That tor process runs, and this user may use it. */
  readonly hasTor: boolean;
  /** Why there is no page. */
  readonly why: string | undefined;
}

export interface SitePage {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  /** At most 256 KiB. */
  readonly body: string;
}

export interface SiteCertificate {
  /** SHA-256 */
  readonly fingerprint: string;
  /** Names and addresses that it is for. */
  readonly names: readonly string[];
}

export interface Printed {
  readonly stdout: string;
  readonly exitCode: number;
}

export interface Listener {
  readonly transport: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
  /** `nginx`; `undefined`: only root is told. */
  readonly program: string | undefined;
}

export interface RouterSeen {
  readonly address: string;
  /** As it says; empty when it does not. */
  readonly manufacturer: string;
  readonly model: string;
  /** Where its own pages are. */
  readonly page: string | undefined;
}
