import type { Transport } from './mapping.ts';
import type { TorInstance } from './tor-instance.ts';

/** What a provider asks of a built-in part; re-exported by contract.ts, of which it is a piece. */

/** Traffic that a provider needs to be let through the hub: everything else is dropped. */
export interface AllowWant {
  readonly part: 'namespaces';
  /** `tor` and `edge` come over the host's link; `interface` is a WireGuard interface in the hub. */
  readonly from: 'tor' | 'edge' | { readonly interface: string; readonly address: string };
  readonly service: string;
}

/** A service that may begin connections to a device; it finds it under its name. */
export interface ReachWant {
  readonly part: 'namespaces';
  readonly service: string;
  readonly to: { readonly name: string; readonly address: string; readonly port: number };
}

/** A service on another machine, to be carried on from its pool address on the host by the edge (HAProxy). */
export interface RouteWant {
  readonly part: 'edge';
  readonly type: 'route';
  readonly service: string;
}

/** A web name at which the edge (HAProxy) answers visitors by TLS, for one service. */
export interface SiteWant {
  readonly part: 'edge';
  readonly type: 'site';
  readonly service: string;
  /** DNS name or IP literal; lower case, no dot at the end. */
  readonly domain: string;
  /** Ways by which its visitors come in. */
  readonly via: 'clearnet' | 'relay';
  /** `devices`: only where a certificate of a device is shown. */
  readonly access: 'anyone' | 'devices';
  /** `http`: requests are seen and headers set; `tcp`: TLS ends at the edge, bytes pass as they are (Electrum). */
  readonly mode: 'http' | 'tcp';
  /** Tor Browser is told the onion address of the service, while it has one that lets everybody in. */
  readonly onionLocation?: true;
  /** Browsers are told to forget that they may come by https alone. */
  readonly strict?: 'off';
  /** Ports of this machine at which they arrive; absent: they come by another way (relay). */
  readonly listen?: { readonly https: number; readonly http: number };
  /** The relay's tunnel by which they arrive, and at which ports of the edge's own address. */
  readonly tunnel?: { readonly number: number; readonly https: number; readonly http: number };
}

/** An onion service whose requests the edge (HAProxy) sees before the service does. */
export interface OnionWant {
  readonly part: 'edge';
  readonly type: 'onion';
  readonly service: string;
  /** Which tor process serves it. */
  readonly instance: TorInstance;
}

/** A page whose requests the edge (HAProxy) sees when devices ask for them, with the address of the device. */
export interface DoorWant {
  readonly part: 'edge';
  readonly type: 'door';
  readonly service: string;
}

/** A certificate for one name, kept valid. One certificate a name, however many want it. */
export interface CertificateWant {
  readonly part: 'certificates';
  /** DNS name, `*.name` or IP literal. */
  readonly name: string;
  readonly service: string;
  /** Challenges that may be used, by what is configured. */
  readonly challenges: readonly ('http-01' | 'tls-alpn-01' | 'dns-01')[];
}

/** A name that is kept at an address, besides `dns.home`; only where a zone of `dns.zones` holds it. */
export interface NameWant {
  readonly part: 'dns';
  readonly name: string;
  readonly service: string;
  /** Where it is to stand instead: at a relay. Absent: it follows the home. */
  readonly at?: { readonly ipv4: string };
}

/** A port of this machine that is to be open in the router. */
export interface PortWant {
  readonly part: 'ports';
  readonly transport: Transport;
  readonly port: number;
  /** Preferred outside; the router may give another. */
  readonly externalPort: number;
  readonly service: string;
}

/** A way for devices' WireGuard by a relay: asked of the provider `relay`, which has the tunnels. */
export interface DevicesWant {
  readonly part: 'relay';
  /** UDP port of this machine that WireGuard listens on. */
  readonly port: number;
  readonly service: string;
}

/** What a provider asks of a built-in part, or of the provider `relay`. */
export type Want =
  | DevicesWant
  | AllowWant
  | ReachWant
  | RouteWant
  | SiteWant
  | OnionWant
  | DoorWant
  | CertificateWant
  | NameWant
  | PortWant;
