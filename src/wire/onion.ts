/**
 * Onion services, version 3: address and key files. Pure.
 * rend-spec-v3, section 6 [ONIONADDRESS]; file formats as C tor writes them (src/lib/crypt_ops/crypto_ed25519.c).
 */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const VERSION = 3;
const HEADER_BYTES = 32;

export type Hash = (data: Uint8Array) => Uint8Array;

/** RFC 4648 base32, lower case, without padding. */
export function encodeBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >> bits) & 31];
    }
  }
  return bits === 0 ? text : text + ALPHABET[(value << (5 - bits)) & 31];
}

/** `undefined` when it is not base32. Bits that do not fill a byte are dropped. */
export function decodeBase32(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const char of text.toLowerCase()) {
    const index = ALPHABET.indexOf(char);
    if (index < 0) return undefined;
    value = ((value << 5) | index) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((value >> bits) & 0xff);
    }
  }
  return Uint8Array.from(bytes);
}

/** 56 characters, without `.onion`. */
export function onionAddress(publicKey: Uint8Array, sha3: Hash): string {
  return encodeBase32(concat(publicKey, checksum(publicKey, sha3), Uint8Array.of(VERSION)));
}

/** The public key inside an address (with or without `.onion`), or `undefined` when its checksum is wrong. */
export function publicKeyOfAddress(address: string, sha3: Hash): Uint8Array | undefined {
  const text = address.endsWith('.onion') ? address.slice(0, -'.onion'.length) : address;
  const bytes = text.length === 56 ? decodeBase32(text) : undefined;
  if (bytes === undefined) return undefined;
  const publicKey = bytes.slice(0, 32);
  return onionAddress(publicKey, sha3) === text.toLowerCase() ? publicKey : undefined;
}

function checksum(publicKey: Uint8Array, sha3: Hash): Uint8Array {
  return sha3(concat(text('.onion checksum'), publicKey, Uint8Array.of(VERSION))).slice(0, 2);
}

const CLIENT_KEY = /^[A-Z2-7]{52}$/;

/** `<client>.auth` in `authorized_clients/` of a service; tor(1), CLIENT AUTHORIZATION. The key is upper-case base32. */
export function renderClientFile(publicKey: string): string {
  return `descriptor:x25519:${publicKey}\n`;
}

/** The public key, or `undefined` when tor would not understand it. */
export function parseClientFile(content: string): string | undefined {
  const [type, kind, key = '', ...rest] = content.trim().split(':');
  const isWhole = type === 'descriptor' && kind === 'x25519' && rest.length === 0 && CLIENT_KEY.test(key);
  return isWhole ? key : undefined;
}

/** `<name>.auth_private` in a client's ClientOnionAuthDir. */
export function renderClientKeyFile(hostname: string, privateKey: string): string {
  return `${hostname.replace(/\.onion$/, '')}:descriptor:x25519:${privateKey}\n`;
}

const SECRET_TAG = '== ed25519v1-secret: type0 ==';
const PUBLIC_TAG = '== ed25519v1-public: type0 ==';

/** `hs_ed25519_secret_key`: a 32-byte tag and the 64-byte expanded secret. */
export function renderSecretKeyFile(expanded: Uint8Array): Uint8Array {
  return concat(header(SECRET_TAG), expanded);
}

/** `hs_ed25519_public_key`: a 32-byte tag and the 32-byte key. */
export function renderPublicKeyFile(publicKey: Uint8Array): Uint8Array {
  return concat(header(PUBLIC_TAG), publicKey);
}

/** `undefined` unless tag and length are exactly right. */
export function parseSecretKeyFile(bytes: Uint8Array): Uint8Array | undefined {
  return parseTagged(bytes, SECRET_TAG, 64);
}

export function parsePublicKeyFile(bytes: Uint8Array): Uint8Array | undefined {
  return parseTagged(bytes, PUBLIC_TAG, 32);
}

function parseTagged(bytes: Uint8Array, tag: string, length: number): Uint8Array | undefined {
  const isWhole =
    bytes.length === HEADER_BYTES + length && isEqual(bytes.slice(0, HEADER_BYTES), header(tag));
  return isWhole ? bytes.slice(HEADER_BYTES) : undefined;
}

function header(tag: string): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(text(tag));
  return bytes;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
