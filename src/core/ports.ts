import type { Exits } from './exits.ts';
import type { Carrier } from './carrier.ts';
import type { Certifier } from './certificate.ts';
import type { Mapper } from './mapper.ts';
import type { DescriptorUploads, UploadCause } from './descriptor.ts';
import type { OperationArguments, OperationName, OperationResult } from './operations.ts';
import type { HomeAddress } from './home.ts';
import type { HomeName, KeptName, NameAddresses } from './names.ts';
import type { Secret } from './secret.ts';
import type { TorInstance } from './tor-instance.ts';

/**
 * Every effect that a part or provider may have. The daemon has no privileges: what needs root goes through `helper`,
 * a closed list of typed operations. Every promise rejects with `GatewayError` and ends early when `signal` aborts.
 */
export interface Ports {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly helper: Helper;
  readonly keys: Keys;
  readonly crypto: Crypto;
  readonly tor: Readonly<Record<TorInstance, TorPort>>;
  /** Addresses behind a public name, asked of the machine's resolver: empty when there are none; `undefined` when it cannot be told. */
  readonly resolve: (host: string, signal: AbortSignal) => Promise<readonly string[] | undefined>;
  readonly home: Home;
  readonly names: NamesPort;
  readonly vantages: Vantages;
  /** Exits of the Tor network, as strangers who try a TCP port. */
  readonly exits: Exits;
  /** Ports that are kept open in the router; needs no privileges. */
  readonly mapper: Mapper;
  readonly certifier: Certifier;
  /** What relays carry for this home. */
  readonly carrier: Carrier;
  readonly log: Log;
}

/** Where the home is on the internet, as far as anybody told us. */
export interface Home {
  addresses(): readonly HomeAddress[];
  /** A visit from outside came in by an address of this machine, or did not although it was tried. */
  cameIn(address: string, isIn: boolean): void;
}

/** Public names that we keep at the home's address. */
export interface NamesPort {
  kept(): Promise<readonly KeptName[]>;
  /** Without an address the name is only taken note of. `NameRefused`, `NameNotChanged`; remembered as its trouble. */
  publish(name: HomeName, addresses: NameAddresses, signal: AbortSignal): Promise<void>;
  /** Takes its addresses away, where its host knows how to and answers; forgets the name in any case. */
  withdraw(name: HomeName, signal: AbortSignal): Promise<void>;
}

/** Machines outside that dial back: the relays that were joined. */
export interface Vantages {
  /** Asks them in turn until one has dialled. Rejects only when aborted. */
  dialBack(request: DialBack, signal: AbortSignal): Promise<DialledBack>;
}

export interface DialBack {
  readonly protocol: 'udp' | 'tcp';
  /** The vantage dials the address of this family that it sees this gateway come from. */
  readonly family: 4 | 6;
  readonly port: number;
  /** Sent as it is, at most 1024 bytes; the proof is what only the right end can answer. */
  readonly payload: Uint8Array;
  /** Over TCP: as many bytes back are enough; otherwise what comes within three seconds. */
  readonly enough?: number;
}

export type DialledBack =
  /** There is no vantage. */
  | { readonly status: 'none' }
  /** None of them could be asked, or could dial: nothing is known. */
  | { readonly status: 'unreachable'; readonly detail: string }
  | {
      readonly status: 'dialled';
      /** Name of the relay. */
      readonly relay: string;
      readonly from: string;
      /** Our own address, as the vantage sees it. */
      readonly to: string;
      /** It dialled from another address than the one that it was asked at. */
      readonly isOtherAddress: boolean;
      readonly outcome: 'answered' | 'silent' | 'refused';
      /** At most 8 KiB, hostile. */
      readonly answer: Uint8Array;
    };

export interface Helper {
  call<Name extends OperationName>(
    name: Name,
    input: OperationArguments<Name>,
    signal: AbortSignal,
  ): Promise<OperationResult<Name>>;
}

export type KeyType = 'curve25519' | 'ed25519-expanded' | 'p256' | 'preshared';

/**
 * Long-lived secrets: one file a key, 0600, synced before use, never overwritten.
 * A key that was ever used is remembered by its fingerprint: a damaged file is `KeyCorrupt`, a lost one `KeyMissing`;
 * neither is ever answered with a fresh key.
 */
export interface Keys {
  /** Makes the key when it never existed. `name` is a path of `[a-z0-9-]+` segments: 'tor/shop'. */
  ensure(name: string, type: KeyType): Promise<Secret<Uint8Array>>;
  /** `undefined` when it never existed. */
  read(name: string, type: KeyType): Promise<Secret<Uint8Array> | undefined>;
  /** Stores a secret that came from elsewhere (an import); `AlreadyExists` when there is another one of this name. */
  put(name: string, type: KeyType, secret: Secret<Uint8Array>): Promise<void>;
  /** Forgets a key on purpose (a revoked device). */
  remove(name: string): Promise<void>;
}

export interface Crypto {
  /** 32 clamped random bytes, as `wg genkey` makes them. */
  curve25519Secret(): Uint8Array;
  /** 32 bytes, big-endian: a private key of P-256. */
  p256Secret(): Uint8Array;
  curve25519Public(secret: Uint8Array): Uint8Array;
  /** 64 bytes: SHA-512 of a random seed, clamped (tor's expanded secret key, rend-spec-v3). */
  ed25519ExpandedSecret(): Uint8Array;
  /** Public key of an expanded secret. */
  ed25519Public(expanded: Uint8Array): Uint8Array;
  /** Secret that both sides of a Curve25519 exchange share; zeros when `theirs` is a point of small order. */
  x25519(secret: Uint8Array, theirs: Uint8Array): Uint8Array;
  /** ChaCha20-Poly1305 with nonce 0, for keys that seal once: ciphertext, then the 16 bytes of its tag. */
  seal(key: Uint8Array, data: Uint8Array, authenticated: Uint8Array): Uint8Array;
  /** `undefined` unless it was sealed with this key. */
  open(key: Uint8Array, sealed: Uint8Array, authenticated: Uint8Array): Uint8Array | undefined;
  readonly sha3_256: (data: Uint8Array) => Uint8Array;
  readonly sha256: (data: Uint8Array) => Uint8Array;
  /** Was this signed by the key of the certificate? All of it is hostile; what cannot be read is not signed. */
  isSignedBy(certificate: Uint8Array, signature: TlsSignature): boolean;
  random(bytes: number): Uint8Array;
}

export interface TlsSignature {
  /** SignatureScheme of TLS (RFC 8446 4.2.3). */
  readonly scheme: number;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

export interface PageVisit {
  /** Of HTTP. */
  readonly status: number;
  readonly tookMs: number;
}

/** One of our own tor processes, seen over its control and SOCKS sockets. */
export interface TorPort {
  /** Sends one command and returns the reply lines without status codes; opens the connection when needed. */
  command(line: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Of an onion address (56 characters), as far as we saw since this tor process started. */
  uploads(address: string): DescriptorUploads;
  /** tor was told something that makes it announce this onion. */
  expectUpload(address: string, cause: UploadCause): void;
  /** Connects through Tor on a circuit of its own; resolves with milliseconds once the far end accepted, then hangs up. */
  visit(host: string, port: number, signal: AbortSignal): Promise<number>;
  /** The same, and asks for the head of the page there; resolves with its status. `ConnectionRefused` when no page answers. */
  visitPage(host: string, port: number, signal: AbortSignal): Promise<PageVisit>;
  close(): Promise<void>;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, message: string, data?: Readonly<Record<string, unknown>>) => void;
