import { z } from 'zod';
import { EDGE_OPERATIONS } from './edge-operations.ts';
import { EGRESS_OPERATIONS, SeenEgress } from './egress.ts';
import { ENTERED_OPERATIONS, EnteredSpec } from './entered.ts';
import { NAMESPACE_OPERATIONS } from './namespace-operations.ts';
import { Flow, HostServiceSpec, NamespaceSpec } from './namespace-spec.ts';
import { NetworkSpec } from './network-spec.ts';
import { TOR_INSTANCES } from './tor-instance.ts';
import { TUNNEL_OPERATIONS } from './tunnel-operations.ts';

export {
  EdgeClient,
  EdgeDoor,
  EdgeListen,
  EdgeOnion,
  EdgeRoute,
  EdgeSite,
  EdgeSpec,
  EdgeTunnel,
} from './edge-operations.ts';
export { Flow, HostServiceSpec, NamespaceSpec, Upstream } from './namespace-spec.ts';
export { NetworkSpec } from './network-spec.ts';

/**
 * The closed list of what the root helper does, as schemas that both sides share. Every field is as narrow as it can
 * be: names cannot carry option dashes, slashes or newlines, keys have one form, paths do not exist here at all.
 * The helper checks each call against these schemas and against the applied config (src/helper/policy.ts).
 */
const Name = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/);
const Ipv4 = z.ipv4();
const PortNumber = z.int().min(1).max(65535);
const WireguardKey = z.string().regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/);
const InterfaceName = z.string().regex(/^[a-z][a-z0-9-]{0,14}$/);
/** `host:port` that devices dial; only kept beside the interface, never used by the helper. */
const Endpoint = z.string().regex(/^[A-Za-z0-9.:[\]-]{3,200}$/);
const Base64 = z.string().regex(/^[A-Za-z0-9+/]+=*$/);

export const PeerSpec = z.strictObject({
  publicKey: WireguardKey,
  /** /32 host address inside the pool. */
  address: Ipv4,
});
export type PeerSpec = z.infer<typeof PeerSpec>;

export const Peer = z.object({
  publicKey: z.string(),
  address: z.string(),
  /** Hex SHA3-256 of the preshared key's 32 bytes; empty without one. The key itself never leaves the helper again. */
  presharedKeyHash: z.string(),
  /** `host:port` of the last authenticated packet. */
  endpoint: z.string().optional(),
  /** Seconds since the epoch; 0 before the first handshake. */
  latestHandshake: z.number(),
  received: z.number(),
  sent: z.number(),
});
export type Peer = z.infer<typeof Peer>;

export const WireguardInterface = z.object({
  name: z.string(),
  publicKey: z.string(),
  listenPort: z.number(),
  /** Empty while it is not complete, as is `endpoint`. */
  address: z.string(),
  /** `host:port` that devices were told to dial; kept as the interface's alias. */
  endpoint: z.string(),
  implementation: z.enum(['kernel', 'wireguard-go']),
  peers: z.array(Peer),
});
export type WireguardInterface = z.infer<typeof WireguardInterface>;

/** Public x25519 key of a client, as tor writes it. */
const OnionClientKey = z.string().regex(/^[A-Z2-7]{52}$/);
/** A device that an onion service lets in. */
export const OnionClient = z.strictObject({ name: Name, key: OnionClientKey });
export type OnionClient = z.infer<typeof OnionClient>;

/** One onion service as its torrc lines say it. */
export const OnionSpec = z.strictObject({
  service: Name,
  /** Port that visitors use. */
  virtualPort: PortNumber,
  /** Visitors solve puzzles while many come at once, so that a flood of them has its price. */
  proofOfWork: z.boolean().default(false),
  target: z.strictObject({ host: z.union([Ipv4, z.ipv6()]), port: PortNumber }),
  /** Its visitors pass the edge (HAProxy) before they come to `target`, where HAProxy is installed; absent: they do not. */
  through: z.literal('edge').optional(),
  /**
   * Only these clients are let in, and the gateway's own visitor; absent: everybody. Sorted by name. Another `round` has
   * the introduction points made anew: who was let in before cannot use what they know.
   */
  authorization: z.strictObject({ clients: z.array(OnionClient), round: z.int().min(1) }).optional(),
});
export type OnionSpec = z.infer<typeof OnionSpec>;

export const OnionFiles = OnionSpec.extend({
  /** Base64 of the 64-byte expanded secret key. */
  secretKey: Base64,
  publicKey: Base64,
  /** `<56 characters>.onion` */
  hostname: z.string().regex(/^[a-z2-7]{56}\.onion$/),
  /** Key of the gateway's own visitor; without it the one that is there stays. */
  visitor: OnionClientKey.optional(),
});
export type OnionFiles = z.infer<typeof OnionFiles>;

/** What the torrc is made of, apart from paths and the owner's own lines (`torrc.d/*.conf`, read by the helper). */
export const TorrcSpec = z.strictObject({
  /** Source address of connections to services in the pool. */
  source: Ipv4,
  pool: z.cidrv4(),
  /** Sorted by service. */
  onions: z.array(OnionSpec),
  /** Services leave through it: on `source`, it takes connections and name queries that are redirected to it. */
  isWayOut: z.literal(true).optional(),
});
export type TorrcSpec = z.infer<typeof TorrcSpec>;

/** Services that are not served although they were asked for, and why: damaged files, a port that is taken. */
const Left = z.array(z.object({ service: z.string(), reason: z.string() }));

/** Why something of ours that exists must be applied again: half made, or damaged by somebody. */
const Renew = z.object({ renew: z.string().optional() });

/** More are set by `flows.replace`: each is named to the kernel twice, in a transaction of bounded size. */
export const MOST_FLOWS_CHANGED = 100;

const Done = z.object({});
/** Which of our tor processes. */
const Instance = z.enum(TOR_INSTANCES);
const OfInstance = z.strictObject({ instance: Instance });

export const OPERATIONS = {
  /** Everything of ours that exists: the single source of `observe`. */
  observe: {
    input: z.strictObject({ network: NetworkSpec }),
    result: z.object({
      /** `undefined` when there is none. `flows` is sorted, as `sortFlows` does. */
      hub: Renew.extend({ flows: z.array(Flow) }).optional(),
      namespaces: z.array(Renew.extend({ service: z.string(), spec: NamespaceSpec })),
      entered: z.array(Renew.extend({ service: z.string(), spec: EnteredSpec })),
      hostServices: z.array(Renew.extend({ service: z.string(), spec: HostServiceSpec })),
      wireguard: z.array(WireguardInterface),
      /** Absent when nobody leaves and nothing of it stands. */
      egress: SeenEgress.optional(),
    }),
  },
  /** Hub namespace, link to the host, forwarding off until the deny-all table stands. */
  'hub.ensure': { input: z.strictObject({ network: NetworkSpec }), result: Done },
  'hub.remove': { input: z.strictObject({ network: NetworkSpec }), result: Done },
  ...NAMESPACE_OPERATIONS,
  ...ENTERED_OPERATIONS,
  /** Replaces the permitted flows in one nftables transaction. */
  'flows.replace': { input: z.strictObject({ network: NetworkSpec, flows: z.array(Flow) }), result: Done },
  /** Opens and closes some of them, in one transaction as well; fine when they are so already. */
  'flows.change': {
    input: z.strictObject({
      network: NetworkSpec,
      add: z.array(Flow).max(MOST_FLOWS_CHANGED),
      remove: z.array(Flow).max(MOST_FLOWS_CHANGED),
    }),
    result: Done,
  },
  /** Ends connections that are open on a flow (conntrack entries deleted): `unexpose --now`, revoke. */
  'flows.cut': {
    input: z.strictObject({ network: NetworkSpec, source: Ipv4.optional(), address: Ipv4.optional() }),
    result: Done,
  },
  'wireguard.ensure': {
    input: z.strictObject({
      network: NetworkSpec,
      name: InterfaceName,
      listenPort: PortNumber,
      privateKey: WireguardKey,
      address: Ipv4,
      endpoint: Endpoint,
    }),
    result: z.object({ implementation: z.enum(['kernel', 'wireguard-go']) }),
  },
  'wireguard.remove': { input: z.strictObject({ network: NetworkSpec, name: InterfaceName }), result: Done },
  /** Adds peers or changes them; sessions go on where nothing differs, and nobody else's is disturbed. */
  'wireguard.setPeers': {
    input: z.strictObject({
      network: NetworkSpec,
      name: InterfaceName,
      peers: z.array(PeerSpec.extend({ presharedKey: WireguardKey })),
    }),
    result: Done,
  },
  'wireguard.removePeer': {
    input: z.strictObject({ network: NetworkSpec, name: InterfaceName, publicKey: WireguardKey }),
    result: Done,
  },
  /**
   * Adds the one peer that the gateway proves its own interface with, seen from outside: without addresses, so it reaches
   * nothing. Never observed as a peer. Replaces the one before.
   */
  'wireguard.ensureProbe': {
    input: z.strictObject({ network: NetworkSpec, name: InterfaceName, publicKey: WireguardKey }),
    result: Done,
  },
  'wireguard.removeProbe': {
    input: z.strictObject({ network: NetworkSpec, name: InterfaceName }),
    result: Done,
  },
  /** Writes the directory of one onion service (keys, host name), owned by tor's user. Does not touch the torrc. */
  'tor.writeOnion': {
    input: z.strictObject({ network: NetworkSpec, instance: Instance, onion: OnionFiles }),
    result: Done,
  },
  /** The onion service is not wanted any more; its directory goes at once, or with the next `tor.write` that omits it. */
  'tor.removeOnion': {
    input: z.strictObject({ network: NetworkSpec, instance: Instance, service: Name }),
    result: Done,
  },
  /**
   * Before an onion service goes: what visitors have open may finish, for ten minutes at most, and nobody new gets in.
   * Does nothing to one that stays.
   */
  'tor.drain': { input: z.strictObject({ service: Name }), result: z.object({ isDraining: z.boolean() }) },
  /** Nobody may finish any more, on one or on any; the next look at tor says that it must be given another torrc, or end. */
  'tor.cut': { input: z.strictObject({ service: Name.optional() }), result: Done },
  /**
   * Renders the torrc, owned by root, and removes directories that nothing wants. An onion whose files are absent or
   * damaged is left out. The new torrc is verified before it replaces the old one. Does not reload.
   */
  'tor.write': {
    input: z.strictObject({ network: NetworkSpec, instance: Instance, torrc: TorrcSpec }),
    result: z.object({ torrcHash: z.string(), left: Left }),
  },
  /** What is on disk and what runs; no secrets. */
  'tor.observe': {
    input: OfInstance,
    result: z.object({
      /** The process lives and its control socket answers. */
      running: z.boolean(),
      /** What is wrong when it does not run: 'tor (process 42) does not answer'. */
      trouble: z.string().optional(),
      /** The process lives, but has not answered for so long. */
      silentForMs: z.number().optional(),
      /** Version of the program that the next start would run; the process that runs may be another. */
      installed: z.string().optional(),
      /** Hash of the torrc on disk. */
      torrcHash: z.string().optional(),
      /** Hash of the torrc that the running process has loaded, as it says itself. */
      loadedHash: z.string().optional(),
      /** What was asked for by the last `tor.write`; absent without a torrc, or when it is not as we would write it. */
      torrc: TorrcSpec.optional(),
      left: Left,
      onions: z.array(
        OnionSpec.extend({
          hostname: z.string(),
          /** Public key of the gateway's own visitor, where keys are asked for. */
          visitor: z.string().optional(),
          /** Why tor could not use its files. */
          damaged: z.string().optional(),
        }),
      ),
    }),
  },
  /** Starts tor in a session of its own, or makes the running one load the torrc; key files are checked before. */
  'tor.load': { input: OfInstance, result: z.object({ started: z.boolean(), left: Left }) },
  /**
   * Has the running tor upload the descriptors of one onion again, which it does not do by itself when an upload came to
   * nothing. `false`: not now, because that would end what visitors have open, or because it has another torrc to load.
   */
  'tor.announce': {
    input: z.strictObject({ instance: Instance, service: Name }),
    result: z.object({ isAnnounced: z.boolean() }),
  },
  /** Ends tor and removes the torrc; onion directories stay until they are removed. */
  'tor.stop': { input: OfInstance, result: Done },
  ...EDGE_OPERATIONS,
  ...EGRESS_OPERATIONS,
  ...TUNNEL_OPERATIONS,
} as const satisfies Record<string, { input: z.ZodType; result: z.ZodType }>;

export type OperationName = keyof typeof OPERATIONS;
export type OperationArguments<Name extends OperationName> = z.infer<(typeof OPERATIONS)[Name]['input']>;
export type OperationResult<Name extends OperationName> = z.infer<(typeof OPERATIONS)[Name]['result']>;
