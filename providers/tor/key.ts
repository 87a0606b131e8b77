import type { Crypto } from '../../src/core/ports.ts';
import type { Secret } from '../../src/core/secret.ts';
import { onionAddress } from '../../src/wire/onion.ts';

export interface OnionKey {
  readonly publicKey: Uint8Array;
  /** `<56 characters>.onion` */
  readonly hostname: string;
}

/** By hash of the secret: deriving costs half a millisecond, and each pass asks for every onion. */
const derived = new Map<string, OnionKey>();

export function deriveOnionKey(secret: Secret<Uint8Array>, crypto: Crypto): OnionKey {
  const id = crypto.sha3_256(secret.reveal()).join();
  const known = derived.get(id);
  if (known !== undefined) return known;
  const publicKey = crypto.ed25519Public(secret.reveal());
  const key = { publicKey, hostname: `${onionAddress(publicKey, crypto.sha3_256)}.onion` };
  derived.set(id, key);
  return key;
}
