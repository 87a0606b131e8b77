import { createECDH, createHash, randomBytes } from 'node:crypto';
import type { Crypto } from '../core/ports.ts';
import { isSignedBy } from './certificate-signature.ts';
import { open, seal } from './chacha20-poly1305.ts';
import { curve25519Public, x25519 } from './curve25519.ts';
import { clamp, ed25519Public } from './ed25519.ts';

/** Cryptography of node:crypto (OpenSSL), nothing else. */
export const nodeCrypto: Crypto = {
  curve25519Secret: () => clamp(Uint8Array.from(randomBytes(32))),
  p256Secret() {
    const pair = createECDH('prime256v1');
    pair.generateKeys();
    const secret = new Uint8Array(32);
    // Leading zeros are left out.
    secret.set(pair.getPrivateKey(), 32 - pair.getPrivateKey().length);
    return secret;
  },
  curve25519Public,
  ed25519ExpandedSecret() {
    const expanded = Uint8Array.from(createHash('sha512').update(randomBytes(32)).digest());
    clamp(expanded.subarray(0, 32));
    return expanded;
  },
  ed25519Public,
  x25519,
  seal,
  open,
  sha3_256: (data) => Uint8Array.from(createHash('sha3-256').update(data).digest()),
  sha256: (data) => Uint8Array.from(createHash('sha256').update(data).digest()),
  isSignedBy,
  random: (bytes) => Uint8Array.from(randomBytes(bytes)),
};
