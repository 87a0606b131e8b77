import type { Crypto } from '../core/ports.ts';
import { blake2s, BLOCK_BYTES, concat } from './blake2s.ts';

/**
 * The first two messages of WireGuard (whitepaper 5.4; Noise_IKpsk2): enough to prove that an interface answers at an
 * address. Nobody without its private key and the preshared key can make the answer, so whoever carries the messages may
 * be hostile.
 */
export type HandshakeCrypto = Pick<Crypto, 'curve25519Public' | 'x25519' | 'seal' | 'open'>;

const CONSTRUCTION = 'Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s';
const IDENTIFIER = 'WireGuard v1 zx2c4 Jason@zx2c4.com';

const INITIATION_BYTES = 148;
const RESPONSE_BYTES = 92;
/** An interface that is asked too much answers with a cookie, which proves nothing. */
const COOKIE_TYPE = 3;
const COOKIE_BYTES = 64;

export interface InitiationInput {
  /** Of the interface that is to answer. */
  readonly publicKey: Uint8Array;
  /** Of the peer that asks. */
  readonly privateKey: Uint8Array;
  readonly presharedKey: Uint8Array;
  /** 32 clamped random bytes, used once. */
  readonly ephemeral: Uint8Array;
  /** Any 32-bit number. */
  readonly index: number;
  /** Milliseconds since the epoch; an interface refuses a time that is not later than the peer's last. */
  readonly nowMs: number;
}

export interface Initiation {
  /** 148 bytes. */
  readonly message: Uint8Array;
  /** What came back: the interface's own answer, its plea for less, or nothing of the kind. Never throws. */
  readonly judge: (answer: Uint8Array) => 'proved' | 'overloaded' | 'foreign';
}

export function initiate(input: InitiationInput, crypto: HandshakeCrypto): Initiation {
  const { publicKey, privateKey, ephemeral, index } = input;
  const ephemeralPublic = crypto.curve25519Public(ephemeral);
  let chain = blake2s(text(CONSTRUCTION));
  let hash = mix(mix(blake2s(concat(chain, text(IDENTIFIER))), publicKey), ephemeralPublic);
  [chain] = derive(chain, ephemeralPublic);
  const first = derive(chain, crypto.x25519(ephemeral, publicKey));
  const sealedStatic = crypto.seal(first[1], crypto.curve25519Public(privateKey), hash);
  hash = mix(hash, sealedStatic);
  const second = derive(first[0], crypto.x25519(privateKey, publicKey));
  const sealedTime = crypto.seal(second[1], tai64n(input.nowMs), hash);
  hash = mix(hash, sealedTime);
  const body = concat(Uint8Array.of(1, 0, 0, 0), uint32(index), ephemeralPublic, sealedStatic, sealedTime);
  const mac1 = blake2s(body, 16, blake2s(concat(text('mac1----'), publicKey)));
  const message = concat(body, mac1, new Uint8Array(INITIATION_BYTES - body.length - mac1.length));
  const state = { chain: second[0], hash };
  return { message, judge: (answer) => judge(answer, input, state, crypto) };
}

function judge(
  answer: Uint8Array,
  { privateKey, presharedKey, ephemeral, index }: InitiationInput,
  state: { readonly chain: Uint8Array; readonly hash: Uint8Array },
  crypto: HandshakeCrypto,
): ReturnType<Initiation['judge']> {
  if (answer[0] === COOKIE_TYPE && answer.length === COOKIE_BYTES && isFor(answer.subarray(4, 8), index)) {
    return 'overloaded';
  }
  if (answer.length !== RESPONSE_BYTES || answer[0] !== 2) return 'foreign';
  if (!isFor(answer.subarray(8, 12), index)) return 'foreign';
  const theirs = answer.subarray(12, 44);
  const [afterKey] = derive(state.chain, theirs);
  const [afterEphemeral] = derive(afterKey, crypto.x25519(ephemeral, theirs));
  const [afterStatic] = derive(afterEphemeral, crypto.x25519(privateKey, theirs));
  const [, temporary, key] = derive(afterStatic, presharedKey);
  const hash = mix(mix(state.hash, theirs), temporary);
  return crypto.open(key, answer.subarray(44, 60), hash) === undefined ? 'foreign' : 'proved';
}

function mix(hash: Uint8Array, data: Uint8Array): Uint8Array {
  return blake2s(concat(hash, data));
}

/** HKDF with HMAC-BLAKE2s: the whitepaper's KDF1 to KDF3 are the first outputs of it. */
function derive(chain: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const secret = hmac(chain, input);
  const one = hmac(secret, Uint8Array.of(1));
  const two = hmac(secret, concat(one, Uint8Array.of(2)));
  return [one, two, hmac(secret, concat(two, Uint8Array.of(3)))];
}

function hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
  const block = concat(key, new Uint8Array(BLOCK_BYTES - key.length));
  const inner = blake2s(concat(xor(block, 0x36), data));
  return blake2s(concat(xor(block, 0x5c), inner));
}

function xor(bytes: Uint8Array, value: number): Uint8Array {
  return bytes.map((byte) => byte ^ value);
}

/** Seconds of TAI64 and nanoseconds, as WireGuard counts them. */
function tai64n(nowMs: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(12));
  view.setBigUint64(0, 0x400000000000000an + BigInt(Math.floor(nowMs / 1000)));
  view.setUint32(8, Math.floor(nowMs % 1000) * 1_000_000);
  return new Uint8Array(view.buffer);
}

function uint32(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value, true);
  return new Uint8Array(view.buffer);
}

function isFor(receiver: Uint8Array, index: number): boolean {
  return uint32(index).every((byte, at) => byte === receiver[at]);
}

function text(words: string): Uint8Array {
  return new TextEncoder().encode(words);
}
