import { z } from 'zod';
import { parseEndpoint } from './inet.ts';
import { HomeWatch, WatchMark } from './relay-watch.ts';
import { HomeTunnel, RelayCarry, RelayCarrying, RelayTunnel, RelayTunnelSettings } from './relay-carry.ts';
import { WalkQuestion } from './relay-walk.ts';

/**
 * What a home and its relay say to each other: over TLS 1.3, whose certificate the home knows by its fingerprint, one line
 * of JSON each way, then the connection ends. Both sides take the other for hostile: every field is bounded.
 */
/** A thousand names of some thirty letters. */
export const MAX_QUESTION_BYTES = 65_536;
export const MAX_REPLY_BYTES = 262_144;
export const MAX_PAYLOAD_BYTES = 1024;
/** What came back: the certificates of a TLS server are some 4 KB long. */
export const MAX_ANSWER_BYTES = 8192;
/** A connection that is held sends an empty packet after so long: whose line has another address learns it then. */
export const HOLD_KEEPALIVE_MS = 15_000;
/** How long a relay waits for what comes back. */
export const DIAL_BACK_MS = 3000;

/** 32 bytes, base64url. */
const Bytes32 = z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/);
const HomeId = z.string().regex(/^[0-9a-f]{16}$/);
const Address = z.union([z.ipv4(), z.ipv6()]);
const base64Of = (bytes: number) =>
  z
    .string()
    .max(4 * Math.ceil(bytes / 3))
    .regex(/^[A-Za-z0-9+/]*={0,2}$/);

/** Under `relays` in gateway.yaml; written by `gateway relay join`. The secret is in keys/. */
export const RelaySettings = z.strictObject({
  address: z
    .string()
    .max(270)
    .refine((text) => parseEndpoint(text) !== undefined, {
      error: 'must be host:port, like relay.example.net:7443 or 11.1.0.2:7443',
    })
    .describe('Where the relay listens.'),
  fingerprint: Bytes32.describe('SHA-256 of its certificate; no other relay is spoken to.'),
  home: HomeId.describe('What the relay calls this gateway.'),
  tunnel: RelayTunnelSettings.optional().describe('In which it carries visitors; without it, it only looks.'),
});

export interface Relay extends z.infer<typeof RelaySettings> {
  readonly name: string;
}

/** Name of the key under which `Keys` holds what this gateway proves itself to a relay with. */
export function relayKeyName(relay: string): string {
  return `relay/${relay}`;
}

/** Of this gateway's end of the tunnel to it. */
export function tunnelKeyName(relay: string): string {
  return `tunnel/${relay}`;
}

const AsHome = { home: HomeId, secret: Bytes32 };
export const RelayRequest = z.discriminatedUnion('ask', [
  /** `credential` is the SHA-256 of the secret that the home made and keeps. */
  z.strictObject({
    ask: z.literal('join'),
    invite: Bytes32,
    credential: Bytes32,
    tunnel: HomeTunnel.optional(),
  }),
  z.strictObject({ ask: z.literal('status'), ...AsHome }),
  z.strictObject({ ask: z.literal('leave'), ...AsHome }),
  /** Answered as `status`; then the connection stays, silent, until either end or the line in between breaks it. */
  z.strictObject({ ask: z.literal('hold'), ...AsHome }),
  /** Another key of the home's, or its first; the one before counts no more. Answered by `RelayTunnel`. */
  z.strictObject({ ask: z.literal('rekey'), ...AsHome, tunnel: HomeTunnel }),
  /** Answered by `RelayCarried`. */
  z.strictObject({ ask: z.literal('carry'), ...AsHome, carry: RelayCarry }),
  /** The whole of it each time, also when there is nobody to tell. Answered as `status`. */
  z.strictObject({ ask: z.literal('watch'), ...AsHome, watch: HomeWatch }),
  /** Over IPv4. Answered by `RelayWalked`. */
  z.strictObject({ ask: z.literal('walk'), ...AsHome, walk: WalkQuestion }),
  /** To the address that asks, and no other. */
  z.strictObject({
    ask: z.literal('dialBack'),
    ...AsHome,
    protocol: z.enum(['udp', 'tcp']),
    port: z.int().min(1).max(65535),
    payload: base64Of(MAX_PAYLOAD_BYTES),
    /** Over TCP: as many bytes back are enough. */
    enough: z.int().min(0).max(MAX_ANSWER_BYTES),
  }),
]);
export type RelayRequest = z.infer<typeof RelayRequest>;

export const RelayAbout = z.object({
  version: z.string().max(40),
  /** Addresses that it listens on. */
  addresses: z.array(Address).max(16),
  /** Where it answers STUN, on each address; `null`: nowhere. */
  stunPort: z.int().min(1).max(65535).nullable(),
  /** From where this request came. */
  observed: Address,
  carrying: RelayCarrying.nullable().default(null),
  /** The mark of what it was asked to watch, empty for nothing; absent: it watches no home. */
  watching: WatchMark.optional(),
});
export type RelayAbout = z.infer<typeof RelayAbout>;

/** Without `tunnel` the relay carries nothing, it only looks. */
export const RelayJoined = RelayAbout.extend({ home: HomeId, tunnel: RelayTunnel.optional() });
export type RelayJoined = z.infer<typeof RelayJoined>;

export const RelayDialled = z.object({
  from: Address,
  to: Address,
  /** `from` is another address than the one that was asked. */
  isOtherAddress: z.boolean(),
  /** `failed`: the relay could not even try. */
  outcome: z.enum(['answered', 'silent', 'refused', 'failed']),
  answer: base64Of(MAX_ANSWER_BYTES),
});
export type RelayDialled = z.infer<typeof RelayDialled>;

/**
 * `refused`: the secret, invite or home is not known. `busy`: too many questions; ask later. `unsupported`: this relay
 * cannot do that; `message` says why.
 */
export const RELAY_FAILURES = ['refused', 'busy', 'malformed', 'unsupported', 'failed'] as const;
export const RelayAnswer = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), value: z.unknown() }),
  z.object({ ok: z.literal(false), failure: z.enum(RELAY_FAILURES), message: z.string().max(300) }),
]);
export type RelayAnswer = z.infer<typeof RelayAnswer>;
