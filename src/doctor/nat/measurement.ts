import type { MappingProtocol } from '../../core/mapping.ts';
import type { NatReport } from '../types.ts';

/**
 * What was seen on the way out, each fact by itself and as it was seen; any of them may be missing. Routers are counted from
 * 1, the one next to this machine.
 */
export type Measurement = Seen & {
  /** ISO 8601 */
  readonly at: string;
};

export type Seen =
  /** The address that our packets carry. */
  | { readonly method: 'own-address'; readonly address: string }
  /** Where somebody outside sees us. */
  | { readonly method: 'stun'; readonly server: string; readonly address: string }
  /** All NATs together (RFC 5780). */
  | {
      readonly method: 'behaviour';
      readonly mapping: NatReport['mapping'];
      readonly filtering: NatReport['filtering'];
    }
  /** Routers between us and a machine outside. */
  | { readonly method: 'distance'; readonly routers: number }
  /** Where a packet's time to live was over, or the way's first router. */
  | { readonly method: 'trace'; readonly ttl: number; readonly address: string }
  /** The nearest that answers, by itself, at our public address. */
  | { readonly method: 'public-echo'; readonly ttl: number }
  /** The nearest TTL at which something refuses a datagram to our public address: its owner, or a firewall on the way. */
  | { readonly method: 'public-refused'; readonly ttl: number }
  /** By which address a router's packets leave it, written by itself into the packet (RFC 791, Record Route). */
  | { readonly method: 'record-route'; readonly ttl: number; readonly address: string }
  | PortmapSeen
  /** From which address a router sees our packets come (PCP, ADDRESS_MISMATCH). */
  | { readonly method: 'pcp-source'; readonly ttl: number; readonly address: string }
  /** The outermost router that let nothing in which nobody had sent out for; 0: none does. */
  | { readonly method: 'opener'; readonly outermost: number }
  | ExpirySeen
  /** Could not be measured. */
  | { readonly method: 'missing'; readonly what: string; readonly why: string };

export interface PortmapSeen {
  readonly method: 'portmap';
  readonly ttl: number;
  readonly protocol: MappingProtocol;
  readonly isSpoken: boolean;
  /** Which address it says it has outside; a router may lie. */
  readonly external?: string | undefined;
  readonly epochSeconds?: number | undefined;
  readonly model?: string | undefined;
  readonly page?: string | undefined;
}

/**
 * Flows of which one router each heard nothing for as long as the window: from inside packets whose time to live ends at the
 * router before it, from outside at the router behind it. Whose state expired is told by what comes in then.
 */
export interface ExpirySeen {
  readonly method: 'expiry';
  readonly windowSeconds: number;
  readonly routers: number;
  /** Routers whose flow was dead then. */
  readonly lost: readonly number[];
  /** The same, where packets of both ends died at the router itself: it counts only what it forwards. */
  readonly lostDying: readonly number[];
  /** A flow that was kept open from inside by packets that went all the way was dead: nothing can be said. */
  readonly isUnsteady: boolean;
  /** A flow that was kept open by packets from outside alone was dead: some router counts only what goes out. */
  readonly countsOnlyOutgoing: boolean;
  /** Routers that gave such a flow another port when it was used again: those translate. */
  readonly remade: readonly number[];
}
