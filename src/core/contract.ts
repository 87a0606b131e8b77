import type { z } from 'zod';
import type { Device, Network, Service } from './service.ts';
import type { GatewayError } from './errors.ts';
import type { Ports } from './ports.ts';
import type { Relay } from './relay.ts';
import type { Want } from './wants.ts';

export type {
  AllowWant,
  CertificateWant,
  DevicesWant,
  NameWant,
  PortWant,
  ReachWant,
  SiteWant,
  Want,
} from './wants.ts';

/**
 * The contract between the engine and everything that changes the world.
 *
 * A `Part` has a pure half (`compile`) and an effectful half (`observe`, `apply`). A `Provider` is a part that is also
 * one way of reaching a service. Providers are islands: what they need of a built-in part they say as a typed `Want`.
 * test/conformance/part-contract.ts is the suite that each must pass, written as a tutorial.
 */

/** Never a boolean for something that we may not have checked. */
export type Tri = 'yes' | 'no' | 'unknown';

/** `kind:name`, unique inside one part. */
export type ResourceKey = `${string}:${string}`;

/** One service asking to be reachable through one provider. */
export interface Exposure<Options = unknown> {
  readonly service: Service;
  readonly options: Options;
}

/** Choices that must never change once made (allocated address). The engine stores it before anything is applied. */
export type Ledger = Readonly<Record<string, string | number>>;

/** One thing that should exist. Only what is declared; what is learned goes to `Observed.facts`. No secrets. */
export interface Resource<Spec = unknown> {
  readonly key: ResourceKey;
  readonly spec: Spec;
  /** Names of the services that need it. */
  readonly neededBy: readonly string[];
  /** What people call it, when neither key nor spec can carry that: the name of a device. Shown, never compared. */
  readonly label?: string;
}

export type Fact = string | number | boolean;

/** One thing that exists and is ours. Facts are shown, never compared. */
export interface Observed<Spec = unknown> {
  readonly key: ResourceKey;
  readonly spec: Spec;
  readonly facts: Readonly<Record<string, Fact>>;
  /** Why it must be applied again although nothing was asked: 'tor is not running'. Must be gone after apply. */
  readonly renew?: string;
}

export type Change<Spec = unknown> =
  | { readonly op: 'create'; readonly want: Resource<Spec>; readonly why: string }
  | {
      readonly op: 'update';
      readonly want: Resource<Spec>;
      readonly have: Observed<Spec>;
      readonly why: string;
    }
  | { readonly op: 'delete'; readonly have: Observed<Spec>; readonly why: string };

/** A service that cannot be as the config says; found before anything is changed. */
export interface Problem {
  readonly code: string;
  /** Name of the service. */
  readonly service: string;
  readonly message: string;
  readonly hint?: string;
}

export interface CompileInput<Options = unknown, Settings = unknown> {
  readonly network: Network;
  readonly services: readonly Service[];
  /** Only the exposures through this provider; empty for a built-in part. */
  readonly exposures: readonly Exposure<Options>[];
  readonly devices: readonly Device[];
  /** Only the wants for this part. Of providers only `relay` is asked for something. */
  readonly wants: readonly Want[];
  /** This part's own slice. */
  readonly ledger: Ledger;
  /** The provider's top-level section of the config, parsed by its `settings` schema. */
  readonly settings: Settings;
  /** Relays that were joined, by name; only for a provider. Absent: none. */
  readonly relays?: readonly Relay[];
}

export interface Compiled<Spec = unknown> {
  readonly resources: readonly Resource<Spec>[];
  readonly wants: readonly Want[];
  readonly problems: readonly Problem[];
  /** Input ledger plus new choices, minus entries of removed things. */
  readonly ledger: Ledger;
}

export interface Context {
  readonly signal: AbortSignal;
  readonly network: Network;
  readonly ports: Ports;
}

export interface Part<Spec = unknown, Options = unknown, Settings = unknown> {
  readonly id: string;
  /** Create in this order, delete in reverse: ['interface', 'peer']. */
  readonly kinds: readonly string[];
  /** Pure: same input, same output, no clock, no I/O. Input order never matters. */
  compile(input: CompileInput<Options, Settings>): Compiled<Spec>;
  /** Everything that carries our mark, nothing else; changes nothing. */
  observe(context: Context): Promise<readonly Observed<Spec>[]>;
  /** Idempotent; resolves when durable. Failures are `GatewayError`. */
  apply(change: Change<Spec>, context: Context): Promise<void>;
  /**
   * Where one by one costs too much: several creates and updates of one kind, which come together after a power cut.
   * Resolves with what failed; a change that is not among it is as durable as after `apply`. Without it, or for a single
   * change, `apply` is called for each.
   */
  applyAll?(
    changes: readonly Change<Spec>[],
    context: Context,
  ): Promise<ReadonlyMap<ResourceKey, GatewayError>>;
  /**
   * After a change that touched little: what stands now of these changes, which were just applied. May believe what the
   * world acknowledged; the next pass looks at everything again. `undefined`, and without it: `observe` is asked.
   */
  observeChanged?(changes: readonly Change<Spec>[], context: Context): readonly Observed<Spec>[] | undefined;
  /** One sentence for `gateway plan`: "publish an onion service for shop". Pure. */
  describe(change: Change<Spec>): string;
  /** Works even if nothing was ever opened; twice is fine. */
  close(): Promise<void>;
}

export interface Address {
  readonly url: string;
  readonly network: 'internet' | 'onion' | 'vpn';
  /** 'Tor Browser or another Tor client', 'a device that was added' */
  readonly clientNeeds: readonly string[];
}

/**
 * Where a check was made from. Only `relay`, `tor` and `device` make anything green.
 * `lan`, `hairpin` and `loopback` are what they are.
 */
export const VANTAGES = ['relay', 'tor', 'device', 'lan', 'hairpin', 'loopback', 'none'] as const;
export type Vantage = (typeof VANTAGES)[number];

export interface Reach {
  readonly reachable: Tri;
  readonly vantage: Vantage;
  /** ISO 8601 time of the visit that proved it; only with `yes`. */
  readonly provedAt?: string;
  /** It came in by this relay, so it says nothing of the home's own ports. */
  readonly byRelay?: string;
  readonly detail: string;
}

/** Is the address announced where clients look? Pure function of what was observed. */
export interface Published {
  readonly status: Tri;
  /** Stable CamelCase word: 'DescriptorPending'. */
  readonly reason: string;
  readonly message: string;
}

/**
 * `onion-key`: for Tor Browser's question; `onion-key-file`: for a tor's ClientOnionAuthDir; `orbot-entry`: for Orbot.
 * `client-certificate`: a PKCS#12 file in base64; `-link`: where it can be fetched once; `-password`: opens it.
 */
export const HANDOUT_KINDS = [
  'link',
  'wireguard-config',
  'onion-key',
  'onion-key-file',
  'orbot-entry',
  'client-certificate',
  'client-certificate-link',
  'client-certificate-password',
] as const;
export type HandoutKind = (typeof HANDOUT_KINDS)[number];

/** Something to hand to a person; CLI and web draw it, as text, file or QR code. */
export interface Handout {
  readonly kind: HandoutKind;
  readonly label: string;
  /** Suggested file name. */
  readonly file: string;
  readonly secret: boolean;
  readonly text: string;
}

/** A certificate and its key, for a device to install. */
export interface ClientBundle {
  /** PKCS#12, base64. */
  readonly pkcs12: string;
  readonly password: string;
}

/** What a new device must be told; `privateKey` is held only while this is made. */
export interface EnrolmentInput<Settings = unknown> {
  readonly device: Device;
  /** Base64; empty when the device brought its own key and keeps the private one to itself. */
  readonly privateKey: string;
  readonly presharedKey: string;
  /** Only where `deviceKey` is `certificate`, and one was made for it now. */
  readonly certificate?: ClientBundle;
  readonly network: Network;
  readonly services: readonly Service[];
  /** Of this device's services, through this provider. */
  readonly exposures: readonly Exposure[];
  readonly settings: Settings;
}

/** Two Curve25519 public keys, and the fingerprint of a certificate; each field says how it is written. */
export type DeviceKey = 'publicKey' | 'onionKey' | 'certificate';

export interface Capabilities {
  readonly network: Address['network'];
  readonly needsPublicAddress: boolean;
  readonly needsOpenPort: boolean;
  readonly worksBehindCgnat: boolean;
  readonly perDeviceCredentials: boolean;
  readonly canBeFallback: boolean;
  /** Visitors learn the address of the home. Checked against a service's `privacy`. */
  readonly showsHomeAddress: boolean;
  /** The service gets a public DNS name and certificate. Checked against a service's `privacy`. */
  readonly showsPublicName: boolean;
  /** Printed beside the yes or no in the generated matrix. */
  readonly notes?: Readonly<Record<string, string>>;
}

export interface Provider<Spec = unknown, Options = unknown, Settings = unknown> extends Part<
  Spec,
  Options,
  Settings
> {
  readonly title: string;
  readonly capabilities: Capabilities;
  /** Schema of one service's `expose.<id>`. */
  readonly options: z.ZodType<Options>;
  /** Schema of the top-level section `<id>:` of gateway.yaml. */
  readonly settings: z.ZodType<Settings>;
  /** Only from what was observed; empty before it was applied. Pure. */
  addresses(exposure: Exposure<Options>, observed: readonly Observed<Spec>[]): readonly Address[];
  published(exposure: Exposure<Options>, observed: readonly Observed<Spec>[]): Published;
  /**
   * As a visitor would, not as we would. `unknown`, not `no`, when it could not check. Throws only when aborted.
   * `observed` is at most a second old and shared by the visits of one round: it is not observed again for each.
   */
  reach(exposure: Exposure<Options>, observed: readonly Observed<Spec>[], context: Context): Promise<Reach>;
  /** What a person holds to use this way. Pure. */
  handouts(exposure: Exposure<Options>, observed: readonly Observed<Spec>[]): readonly Handout[];
  /** Only providers with `perDeviceCredentials`: which field of `Device` holds the public key that it goes by. */
  readonly deviceKey?: DeviceKey;
  /** How many devices one service may have through it; left out: any number. */
  readonly maxDevices?: number;
  /** Does this exposure let in only devices that were given it? Left out: each does. Pure. */
  asksForDevice?(exposure: Exposure<Options>): boolean;
  /** Only providers with `perDeviceCredentials`: under which name `Keys` holds a device's preshared key. Pure. */
  presharedKeyName?(publicKey: string): string;
  /** Only providers with `perDeviceCredentials`. Pure. */
  enrol?(input: EnrolmentInput<Settings>, observed: readonly Observed<Spec>[]): readonly Handout[];
  /** Its ledger after a device was revoked without disturbing the others; left out: revoking disturbs nobody. Pure. */
  revokeGently?(ledger: Ledger, device: Device, nowMs: number): Ledger;
  /** Sentences that the owner must know, from its ledger: what a device that was revoked gently can still do. Pure. */
  remarks?(ledger: Ledger, nowMs: number): readonly string[];
}

/** Keeps Spec, Options and Settings inferred inside the folder; providers/index.ts erases them in one place. */
export function defineProvider<Spec, Options, Settings>(
  provider: Provider<Spec, Options, Settings>,
): Provider<Spec, Options, Settings> {
  return provider;
}
