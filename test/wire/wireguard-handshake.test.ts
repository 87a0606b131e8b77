import { createHash, randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { blake2s } from '../../src/wire/blake2s.ts';
import { initiate } from '../../src/wire/wireguard-handshake.ts';
import { probePresharedKey } from '../../src/wire/wireguard-probe.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('BLAKE2s', () => {
  it('is the hash that OpenSSL makes, for any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
        expect(hex(blake2s(data))).toBe(createHash('blake2s256').update(data).digest('hex'));
      }),
    );
  });

  it('with a key is what the reference implementation makes (blake2s-kat: key 00..1f, no data and one byte)', () => {
    const key = Uint8Array.from({ length: 32 }, (_, index) => index);
    expect(hex(blake2s(new Uint8Array(), 32, key))).toBe(
      '48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49',
    );
    expect(hex(blake2s(Uint8Array.of(0), 32, key))).toBe(
      '40d15fee7c328830166ac3f918650f807e7e01e177258cdc0a39b11f598066f1',
    );
  });
});

describe('an initiation', () => {
  const secret = nodeCrypto.curve25519Secret();
  const publicKey = nodeCrypto.curve25519Public(secret);
  const make = () =>
    initiate(
      {
        publicKey,
        privateKey: nodeCrypto.curve25519Secret(),
        presharedKey: probePresharedKey(publicKey),
        ephemeral: nodeCrypto.curve25519Secret(),
        index: 0x01020304,
        nowMs: 1_800_000_000_123,
      },
      nodeCrypto,
    );

  it('has the form of WireGuard, and is another each time', () => {
    const { message } = make();
    expect(message).toHaveLength(148);
    expect(hex(message.subarray(0, 8))).toBe('0100000004030201');
    expect(hex(message.subarray(132))).toBe('0'.repeat(32));
    expect(hex(make().message)).not.toBe(hex(message));
  });

  it('takes nothing for an answer that its interface did not make', () => {
    const { judge } = make();
    const start = Uint8Array.of(2, 0, 0, 0, 9, 9, 9, 9, 4, 3, 2, 1);
    expect(judge(new Uint8Array())).toBe('foreign');
    expect(judge(Uint8Array.from([...start, ...new Uint8Array(80)]))).toBe('foreign');
    for (let tries = 0; tries < 200; tries += 1) {
      expect(judge(Uint8Array.from([...start, ...randomBytes(80)]))).toBe('foreign');
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1200 }), (answer) => {
        expect(judge(answer)).toBe('foreign');
      }),
    );
  });

  it('knows the cookie of an interface that is asked too much', () => {
    const cookie = Uint8Array.from([3, 0, 0, 0, 4, 3, 2, 1, ...randomBytes(56)]);
    expect(make().judge(cookie)).toBe('overloaded');
  });
});
