import { createHash } from 'node:crypto';
import type { KeyType } from '../core/ports.ts';

/**
 * A key on disk, readable by people and checked as a whole:
 *
 *   gateway key 1
 *   type ed25519-expanded
 *   secret <base64>
 *   checksum <hex SHA-256 of the lines above>
 */
const FIRST_LINE = 'gateway key 1';
const BYTES: Readonly<Record<KeyType, number>> = {
  curve25519: 32,
  preshared: 32,
  p256: 32,
  'ed25519-expanded': 64,
};

export function renderKeyFile(type: KeyType, secret: Uint8Array): string {
  if (secret.length !== BYTES[type]) throw new TypeError(`a ${type} key has ${BYTES[type]} bytes`);
  const body = `${FIRST_LINE}\ntype ${type}\nsecret ${Buffer.from(secret).toString('base64')}\n`;
  return `${body}checksum ${sha256(body)}\n`;
}

/** The secret, or why the file cannot be used. */
export function parseKeyFile(bytes: Uint8Array, type: KeyType): Uint8Array | string {
  const text = Buffer.from(bytes).toString('latin1');
  if (text.length === 0) return 'it is empty';
  const match =
    /^(gateway key 1\ntype ([a-z0-9-]+)\nsecret ([A-Za-z0-9+/=]+)\n)checksum ([0-9a-f]{64})\n$/.exec(text);
  if (match === null) return 'it is not a whole key file (truncated or overwritten)';
  const [, body = '', found, encoded = '', checksum] = match;
  if (sha256(body) !== checksum) return 'its checksum is wrong';
  if (found !== type) return `it holds a ${found} key, not a ${type} key`;
  const secret = Uint8Array.from(Buffer.from(encoded, 'base64'));
  return secret.length === BYTES[type] ? secret : `it holds ${secret.length} bytes instead of ${BYTES[type]}`;
}

/** What the file says it holds; whether it does, `parseKeyFile` says. */
export function keyTypeOf(bytes: Uint8Array): KeyType | undefined {
  const word = /^gateway key 1\ntype ([a-z0-9-]+)\n/.exec(Buffer.from(bytes).toString('latin1'))?.[1];
  return (Object.keys(BYTES) as KeyType[]).find((type) => type === word);
}

/** Recognises a key without telling it: keys are random, so their hash cannot be searched. */
export function fingerprintOf(type: KeyType, secret: Uint8Array): string {
  return createHash('sha256').update(`gateway key ${type}\n`).update(secret).digest('hex');
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('hex');
}
