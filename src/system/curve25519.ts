import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import { errnoOf } from '../core/errors.ts';

/** RFC 8410: what stands before the 32 bytes of an X25519 private key in PKCS #8. */
const PKCS8_HEADER = Buffer.from('302e020100300506032b656e04220420', 'hex');

export function curve25519Public(secret: Uint8Array): Uint8Array {
  const key = privateKeyOf(secret);
  return Uint8Array.from(Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url'));
}

/** OpenSSL refuses points of small order, which only somebody hostile sends: their secret is no secret, so zeros. */
export function x25519(secret: Uint8Array, theirs: Uint8Array): Uint8Array {
  const x = Buffer.from(theirs).toString('base64url');
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
  try {
    return Uint8Array.from(diffieHellman({ privateKey: privateKeyOf(secret), publicKey }));
  } catch (error) {
    if (errnoOf(error)?.startsWith('ERR_OSSL') === true) return new Uint8Array(32);
    throw error;
  }
}

function privateKeyOf(secret: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEADER, secret]), format: 'der', type: 'pkcs8' });
}
