import { createHmac } from 'node:crypto';
import { assert, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { decodeAnswer, encodeUpdate, type TsigKey } from '../../src/wire/dns-update.ts';

const KEY: TsigKey = {
  name: 'home-key',
  algorithm: 'hmac-sha256',
  mac: (data) => createHmac('sha256', 'a secret').update(data).digest(),
};
const UPDATE = encodeUpdate(
  {
    id: 0x1234,
    zone: 'lab.test',
    sets: [{ name: 'home.lab.test', type: 'A', ttlSeconds: 60, values: ['11.2.0.2'] }],
  },
  KEY,
  1_700_000_000,
);

test('an update replaces the set, byte for byte', () => {
  const unsigned = Buffer.from(UPDATE.message).subarray(0, 12 + 14 + 25 + 29);
  expect(unsigned.toString('hex')).toBe(
    [
      '123428000001000000020001',
      '036c616204746573740000060001',
      '04686f6d65036c6162047465737400000100ff000000000000',
      '04686f6d65036c6162047465737400000100010000003c00040b020002',
    ].join(''),
  );
});

test('a text longer than 255 bytes is cut into strings', () => {
  const values = ['x'.repeat(300)];
  const { message } = encodeUpdate(
    { id: 1, zone: 'lab.test', sets: [{ name: 'lab.test', type: 'TXT', ttlSeconds: 5, values }] },
    KEY,
    0,
  );
  const text = Buffer.from(message).toString('latin1');
  expect(text).toContain(`\xff${'x'.repeat(255)}\x2d${'x'.repeat(45)}`);
});

test('an answer that is not signed is not authentic', () => {
  const answer = Buffer.from(UPDATE.message.slice(0, 12));
  answer.writeUInt16BE(0x8000 | (5 << 11), 2);
  for (const offset of [4, 6, 8, 10]) answer.writeUInt16BE(0, offset);
  expect(decodeAnswer(answer, UPDATE, KEY)).toEqual({ code: 'NOERROR', isAuthentic: false });
});

test('the answer to another question is no answer', () => {
  const answer = Buffer.from(UPDATE.message);
  answer.writeUInt16BE(0x8000 | (5 << 11), 2);
  answer.writeUInt16BE(1, 0);
  expect(decodeAnswer(answer, UPDATE, KEY)).toBeUndefined();
});

test('no bytes make it throw or believe', () => {
  assert(
    property(
      integer({ min: 0, max: UPDATE.message.length - 1 }),
      integer({ min: 0, max: 255 }),
      integer({ min: 0, max: UPDATE.message.length }),
      (at, byte, length) => {
        const answer = Buffer.from(UPDATE.message);
        answer.writeUInt16BE(0x8000 | (5 << 11), 2);
        answer[at] = byte;
        expect(decodeAnswer(answer.subarray(0, length), UPDATE, KEY)?.isAuthentic ?? false).toBe(false);
      },
    ),
    { numRuns: 10_000 },
  );
});
