import { createHash, generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { clamp } from '../../src/system/ed25519.ts';

it('derives the same ed25519 public key from an expanded secret as node:crypto from its seed', () => {
  for (let round = 0; round < 50; round += 1) {
    const pair = generateKeyPairSync('ed25519');
    const seed = Buffer.from(pair.privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
    const expanded = Uint8Array.from(createHash('sha512').update(seed).digest());
    clamp(expanded.subarray(0, 32));
    const derived = Buffer.from(nodeCrypto.ed25519Public(expanded)).toString('base64url');
    expect(derived).toBe(pair.publicKey.export({ format: 'jwk' }).x);
  }
});

it('derives curve25519 public keys (RFC 7748, section 6.1)', () => {
  const secret = Buffer.from('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a', 'hex');
  expect(Buffer.from(nodeCrypto.curve25519Public(secret)).toString('hex')).toBe(
    '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a',
  );
});

it('refuses a scalar that no tor ever made instead of giving a wrong public key', () => {
  const expanded = nodeCrypto.ed25519ExpandedSecret();
  expanded[0] = (expanded[0] ?? 0) | 7;
  expect(() => nodeCrypto.ed25519Public(expanded)).toThrow(expect.objectContaining({ code: 'KeyCorrupt' }));
});
