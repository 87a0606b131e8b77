import { createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { GatewayError } from '../core/errors.ts';
import { curve25519Public } from './curve25519.ts';

/**
 * The public key of an expanded ed25519 secret (RFC 8032, section 5.1.5, after the hash), which is all that tor keeps:
 * the seed that node:crypto wants is gone. node:crypto does the curve arithmetic nevertheless:
 *
 *   1. X25519 of the same scalar gives u, and RFC 7748 section 4.1 maps it to the Edwards y = (u - 1) / (u + 1).
 *   2. y leaves two candidates, for the sign of x. A signature made with the secret verifies under the right one only.
 *
 * The big-integer steps are not constant-time; they run locally, on our own key, and nobody times them.
 */
export function ed25519Public(expanded: Uint8Array): Uint8Array {
  const scalar = expanded.slice(0, 32);
  const y = edwardsY(fromLittleEndian(curve25519Public(scalar)));
  const sign = proof(fromLittleEndian(scalar));
  for (const bit of [0, 0x80]) {
    const candidate = toLittleEndian(y);
    candidate[31] = (candidate[31] ?? 0) | bit;
    if (sign(candidate)) return candidate;
  }
  throw new GatewayError('an ed25519 secret key has no public key', { code: 'KeyCorrupt', retry: 'never' });
}

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const MESSAGE = Buffer.from('gateway: which of two');

function edwardsY(u: bigint): bigint {
  return modulo((u - 1n) * inverse(u + 1n), P);
}

/** Extended Euclid, modulo P. */
function inverse(value: bigint): bigint {
  let [a, b] = [modulo(value, P), P];
  let [x, z] = [1n, 0n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b] = [b, a - quotient * b];
    [x, z] = [z, x - quotient * z];
  }
  return modulo(x, P);
}

/** Tests public keys by a signature (R, r + H(R, A, M) a) whose random part r is an ordinary key pair of node:crypto. */
function proof(scalar: bigint): (publicKey: Uint8Array) => boolean {
  const nonce = generateKeyPairSync('ed25519');
  const seed = Buffer.from(nonce.privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  const r = fromLittleEndian(clamp(createHash('sha512').update(seed).digest().subarray(0, 32)));
  const R = Buffer.from(nonce.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  return (publicKey) => {
    const h = fromLittleEndian(createHash('sha512').update(R).update(publicKey).update(MESSAGE).digest());
    const signature = Buffer.concat([R, toLittleEndian(modulo(r + h * scalar, ORDER))]);
    const key = createPublicKey({ key: jwk(publicKey), format: 'jwk' });
    return verify(null, MESSAGE, key, signature);
  };
}

function jwk(publicKey: Uint8Array): { kty: string; crv: string; x: string } {
  return { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') };
}

/** RFC 7748, section 5: what makes 32 bytes a scalar of the right form. Changes its argument. */
export function clamp(scalar: Uint8Array): Uint8Array {
  scalar[0] = (scalar[0] ?? 0) & 0xf8;
  scalar[31] = ((scalar[31] ?? 0) & 0x7f) | 0x40;
  return scalar;
}

function modulo(value: bigint, by: bigint): bigint {
  const rest = value % by;
  return rest < 0n ? rest + by : rest;
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`);
}

function toLittleEndian(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').toReversed());
}
