import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { nodeCrypto } from '../../src/system/crypto.ts';
import {
  decodeBase32,
  encodeBase32,
  onionAddress,
  parsePublicKeyFile,
  parseSecretKeyFile,
  publicKeyOfAddress,
  renderPublicKeyFile,
  renderSecretKeyFile,
} from '../../src/wire/onion.ts';

const sha3 = nodeCrypto.sha3_256;

it('knows a real address: the Tor Project', () => {
  const address = '2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid';
  const publicKey = publicKeyOfAddress(`${address}.onion`, sha3);
  expect(publicKey).toHaveLength(32);
  expect(onionAddress(publicKey ?? new Uint8Array(), sha3)).toBe(address);
});

it('refuses an address with any letter changed', () => {
  const address = '2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid';
  for (let index = 0; index < address.length; index += 1) {
    const letter = address[index] === 'a' ? 'b' : 'a';
    const typo = address.slice(0, index) + letter + address.slice(index + 1);
    expect(publicKeyOfAddress(typo, sha3)).toBeUndefined();
  }
});

it('encodes and decodes base32 both ways', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      expect(decodeBase32(encodeBase32(bytes))).toEqual(bytes);
    }),
  );
});

it('reads back its key files, and none that was cut or lengthened', () => {
  const secret = nodeCrypto.ed25519ExpandedSecret();
  const publicKey = nodeCrypto.ed25519Public(secret);
  const secretFile = renderSecretKeyFile(secret);
  const publicFile = renderPublicKeyFile(publicKey);
  expect(parseSecretKeyFile(secretFile)).toEqual(secret);
  expect(parsePublicKeyFile(publicFile)).toEqual(publicKey);
  for (let length = 0; length < secretFile.length; length += 1) {
    expect(parseSecretKeyFile(secretFile.slice(0, length))).toBeUndefined();
    expect(parsePublicKeyFile(publicFile.slice(0, Math.min(length, 63)))).toBeUndefined();
  }
  expect(parseSecretKeyFile(Uint8Array.from([...secretFile, 0]))).toBeUndefined();
  expect(parseSecretKeyFile(publicFile)).toBeUndefined();
});
