import type { CardCheck, DeviceCard } from './card.ts';
import type { CertificateReport } from './certificate.ts';
import type { Handout } from './contract.ts';
import type { DnsAccess } from './dns-config.ts';
import type { JournalEvent } from './events.ts';
import type { ServiceEdit, ServiceDraft } from './config-edit.ts';
import type { TokenKind } from './node-access.ts';
import type { DeviceRight, Rights } from './rights.ts';
import type { PortsReport } from './mapper.ts';
import type { NoticeTested } from './notify.ts';
import type { Through } from './through.ts';
import type { ReachedBy } from './service.ts';
import type { AddressStatus, DeviceStatus, RelayStatus, Status } from './status.ts';
import type { RelayWalked, WalkQuestion } from './relay-walk.ts';

/** What the API can ask of the running gateway. The daemon implements it; the API and CLI know nothing else of it. */
export interface Control {
  status(): Promise<Status>;
  /** What `up` would do with the file as it is now, as sentences; nothing is changed. */
  plan(signal: AbortSignal): Promise<PlanReport>;
  /** Applies the file as it is now; resolves when everything is programmed. */
  up(progress: Progress, signal: AbortSignal): Promise<UpReport>;
  /** Removes everything of ours from the machine (keys and state stay), then the daemon ends. */
  down(progress: Progress, signal: AbortSignal): Promise<void>;
  /** Edits gateway.yaml, keeping comments, and applies it. */
  addService(draft: ServiceDraft, progress: Progress, signal: AbortSignal): Promise<UpReport>;
  setService(name: string, edit: ServiceEdit, progress: Progress, signal: AbortSignal): Promise<UpReport>;
  removeService(name: string, progress: Progress, signal: AbortSignal): Promise<UpReport>;
  expose(
    service: string,
    provider: string,
    options: unknown,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<UpReport>;
  /** `now`: also end connections that are open. */
  unexpose(
    service: string,
    provider: string,
    now: boolean,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<UpReport>;
  /** Closes every way in of every service, also when gateway.yaml as it is now cannot be read. */
  unexposeAll(now: boolean, progress: Progress, signal: AbortSignal): Promise<UpReport>;
  addDevice(draft: DeviceDraft, progress: Progress, signal: AbortSignal): Promise<Enrolled>;
  /** New keys, same address; the old keys stop working at once. */
  renewDevice(name: string, progress: Progress, signal: AbortSignal): Promise<Enrolled>;
  /** More services for a device, and services that may connect to it; `handouts` is only what is new for it. */
  grantDevice(name: string, grant: Grant, progress: Progress, signal: AbortSignal): Promise<Enrolled>;
  /** Takes services away from a device and cuts what it has open with them. */
  ungrantDevice(
    name: string,
    grant: Grant & { readonly gently?: boolean | undefined },
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Taken>;
  /** Makes a macaroon or rune of its own for a device that was given the service; it ends with the device. */
  mintToken(device: string, minting: Minting, progress: Progress, signal: AbortSignal): Promise<MintedToken>;
  /** `gently`: nobody else is disturbed; what the device can still do then is said in the status. */
  revokeDevice(name: string, gently: boolean, progress: Progress, signal: AbortSignal): Promise<Taken>;
  /** Every way in that a device may use. */
  deviceCard(name: string): Promise<DeviceCard>;
  /** Did this home write that card, for this device? */
  checkCard(name: string, card: { readonly text: string; readonly code: string }): Promise<CardCheck>;
  /** Public names that are kept at the home's address. */
  names(): Promise<readonly NameReport[]>;
  /** Makes a name the home's own: written to gateway.yaml and applied. */
  setName(draft: NameDraft, progress: Progress, signal: AbortSignal): Promise<UpReport>;
  removeName(name: string, progress: Progress, signal: AbortSignal): Promise<UpReport>;
  /** Keeps the key of an onion address that another tor has served; `AlreadyExists` when the service has one. */
  importOnionKey(service: string, key: OnionImport): Promise<OnionImported>;
  /** Public handouts of a service: what a visitor needs, as text for a QR code. */
  handouts(service: string): Promise<readonly Handout[]>;
  /** How to start a program inside the service's namespace; needs root at the caller. */
  place(service: string): Promise<PlaceReport>;
  /** Where the home is on the internet; `withNat` also asks a relay how the NATs on the way behave, which takes seconds. */
  address(withNat: boolean, signal: AbortSignal): Promise<AddressStatus>;
  /** Sends everybody who is told what is wrong a message that says that it is a test. */
  testNotices(signal: AbortSignal): Promise<readonly NoticeTested[]>;
  /** What is measured, as Prometheus reads it. */
  metrics(): Promise<string>;
  /** Asks each relay how it is. */
  relays(signal: AbortSignal): Promise<readonly RelayStatus[]>;
  /** Has a relay help to see which routers on the way keep state; see relay-walk.ts. */
  walk(relay: string, question: WalkQuestion, signal: AbortSignal): Promise<RelayWalked>;
  /** Takes an invite: the relay learns this gateway, and gateway.yaml the relay. */
  joinRelay(draft: RelayDraft, progress: Progress, signal: AbortSignal): Promise<RelayStatus>;
  /** Replaces the key of our end of the tunnel, on both sides. */
  rotateRelay(name: string, progress: Progress, signal: AbortSignal): Promise<RelayStatus>;
  removeRelay(name: string, progress: Progress, signal: AbortSignal): Promise<UpReport>;
  /** Certificates of public names, and how each is. */
  certificates(signal: AbortSignal): Promise<readonly CertificateReport[]>;
  /** Orders another certificate now; resolves when that is noted, not when there is one. */
  renewCertificate(name: string): Promise<null>;
  /** Has its authority revoke it, and orders another one now. */
  revokeCertificate(name: string, isCompromised: boolean, signal: AbortSignal): Promise<null>;
  /** What the router opened for us, and what it says that others have. */
  ports(signal: AbortSignal): Promise<PortsReport>;
  /** The owner's yes to having routers farther out open the same ports; resolves once each was asked. */
  openThrough(through: Through, signal: AbortSignal): Promise<PortsReport>;
  /** Takes it back: what is open there is closed. */
  closeThrough(signal: AbortSignal): Promise<PortsReport>;
  events(after: number, limit: number): Promise<readonly JournalEvent[]>;
  generations(): Promise<readonly Generation[]>;
  /** Rewrites the file to a generation (default: the last fully programmed one before the current) and applies it. */
  rollback(generation: number | undefined, progress: Progress, signal: AbortSignal): Promise<UpReport>;
}

export type Progress = (message: string) => void;

export interface PlanReport {
  /** "make namespace gw-shop with address 10.64.1.2" */
  readonly changes: readonly string[];
  readonly problems: readonly {
    readonly service: string;
    readonly code: string;
    readonly message: string;
    readonly hint?: string | undefined;
  }[];
  /** Sentences the person must know: 'gateway.yaml was edited by hand; that was applied too'. */
  readonly notices: readonly string[];
}

export interface UpReport extends PlanReport {
  readonly generation: number;
  /** How many there are now. */
  readonly services: number;
  /** Changes that failed and will be tried again. */
  readonly failed: readonly {
    readonly change: string;
    readonly code: string;
    readonly message: string;
    readonly hint?: string | undefined;
  }[];
}

export interface RelayDraft {
  /** As `gateway relay invite` printed it. */
  readonly invite: string;
  /** Left out: relay-1, relay-2 … */
  readonly name?: string | undefined;
}

/** A device as `gateway device add` describes it. */
export interface DeviceDraft {
  readonly name: string;
  readonly services: readonly string[];
  /** ISO 8601; it is revoked then. */
  readonly expiresAt?: string | undefined;
  /** Public key that the device made itself for onion services, 52 letters of base32. */
  readonly onionKey?: string | undefined;
  /** Public key that the device made itself for WireGuard, base64. */
  readonly publicKey?: string | undefined;
  /** What it may do at them that others may not. */
  readonly rights?: readonly DeviceRight[] | undefined;
  /** Services that may begin connections to it. */
  readonly reachedBy?: readonly ReachedBy[] | undefined;
}

/** What a device is given, or what is taken away from it. */
export interface Grant {
  /** Services that it may reach. */
  readonly services: readonly string[];
  /** What it may do at those that it has that others may not. */
  readonly rights?: readonly DeviceRight[] | undefined;
  /** Services that may begin connections to it. */
  readonly reachedBy?: readonly ReachedBy[] | undefined;
}

/** The home's name as `gateway name set` describes it. */
export interface NameDraft {
  readonly name: string;
  readonly zone: string;
  readonly wildcard: boolean;
  readonly access: DnsAccess;
  /** Take it at its host first, where it is free. */
  readonly register: boolean;
}

export interface NameReport {
  readonly name: string;
  readonly wildcard: boolean;
  readonly zone: string;
  /** `desec`, `rfc2136` … */
  readonly host: string;
  /** What its host said yes to last. */
  readonly addresses: readonly string[];
  /** ISO 8601 */
  readonly publishedAt: string | null;
  /** Why it is not as it should be. */
  readonly trouble: string | null;
}

/** What was taken away is away, but for what these sentences say. */
export interface Taken {
  readonly notices: readonly string[];
}

/** What a device shall hold of a Lightning node. */
export interface Minting {
  readonly service: string;
  readonly rights: Rights;
}

/** Shown once: `secret` is kept nowhere. */
export interface MintedToken extends Minting {
  readonly device: string;
  readonly kind: TokenKind;
  /** A macaroon as base64, a rune as it is. */
  readonly secret: string;
}

/** Shown once; the private keys inside `handouts` are not kept. */
export interface Enrolled {
  readonly device: DeviceStatus;
  readonly handouts: readonly Handout[];
  /** Sentences the person must know: 'this path was not proved from outside yet'. */
  readonly notices: readonly string[];
}

export interface OnionImport {
  /** Base64 of the 64-byte expanded secret key. */
  readonly secretKey: string;
  /** What it must give: `<56 characters>.onion`. */
  readonly hostname: string;
}

export interface OnionImported {
  readonly service: string;
  readonly hostname: string;
}

export interface PlaceReport {
  readonly service: string;
  readonly isolated: boolean;
  /** `/run/netns/gw-shop`; `null` when not isolated. */
  readonly namespacePath: string | null;
  readonly namespace: string | null;
  /** Unprivileged user id reserved for `service run`. */
  readonly uid: number;
  readonly directory: string;
  readonly address: string;
  readonly port: number;
  /** `192.168.1.20:443`, when it runs on another machine. */
  readonly target: string | null;
  /** `container lnd`, when it is in a namespace that we did not make. */
  readonly entered: string | null;
}

export interface Generation {
  readonly number: number;
  /** ISO 8601 */
  readonly appliedAt: string;
  /** Everything of it was in the world at least once. */
  readonly programmed: boolean;
  readonly current: boolean;
}
