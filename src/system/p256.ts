import { createECDH, createPrivateKey, type KeyObject } from 'node:crypto';

/** A private key of P-256 from its 32 bytes, as `Keys` holds it. */
export function p256Key(secret: Uint8Array): KeyObject {
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(secret);
  const point = pair.getPublicKey();
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    d: text(secret),
    x: text(point.subarray(1, 33)),
    y: text(point.subarray(33)),
  };
  return createPrivateKey({ key: jwk, format: 'jwk' });
}
