import { createPrivateKey, createPublicKey } from 'node:crypto';

/** RFC 8410: what stands before the 32 bytes of an X25519 private key in PKCS #8. */
const PKCS8_HEADER = Buffer.from('302e020100300506032b656e04220420', 'hex');

export function curve25519Public(secret: Uint8Array): Uint8Array {
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_HEADER, secret]),
    format: 'der',
    type: 'pkcs8',
  });
  return Uint8Array.from(Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url'));
}
