import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseStunAnswer,
  parseStunRequest,
  renderStunAnswer,
  renderStunError,
  renderStunRequest,
} from '../../src/wire/stun.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
const transaction = bytes('b7e7a701bc34d686fa87dfae');

describe('the messages of RFC 5769', () => {
  it('2.2: an answer over IPv4, with attributes that we do not know', () => {
    const answer = parseStunAnswer(
      bytes(`0101003c 2112a442 b7e7a701 bc34d686 fa87dfae
        8022000b 74657374 20766563 746f7220 00200008 0001a147 e112a643
        00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7 80280004 c07d4c96`),
    );
    expect(answer).toEqual({
      transaction,
      mapped: { host: '192.0.2.1', port: 32853 },
      origin: undefined,
      other: undefined,
    });
  });

  it('2.3: an answer over IPv6', () => {
    const answer = parseStunAnswer(
      bytes(`01010048 2112a442 b7e7a701 bc34d686 fa87dfae
        8022000b 74657374 20766563 746f7220
        00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9
        00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41 80280004 c8fb0b4c`),
    );
    expect(answer?.mapped).toEqual({ host: '2001:db8:1234:5678:11:2233:4455:6677', port: 32853 });
  });
});

const Address = fc.record({
  host: fc.oneof(fc.ipV4(), fc.constantFrom('2001:db9::1', '::1', 'fe80::1:0:0:2')),
  port: fc.integer({ min: 1, max: 65535 }),
});
const Answer = fc.record({
  transaction: fc.uint8Array({ minLength: 12, maxLength: 12 }),
  mapped: Address,
  origin: fc.option(Address, { nil: undefined }),
  other: fc.option(Address, { nil: undefined }),
});

it('what is written is read', () => {
  fc.assert(
    fc.property(Answer, fc.boolean(), fc.boolean(), (answer, changeAddress, changePort) => {
      expect(parseStunAnswer(renderStunAnswer(answer))).toEqual(answer);
      const request = { transaction: answer.transaction, changeAddress, changePort };
      expect(parseStunRequest(renderStunRequest(request))).toEqual(request);
      expect(parseStunAnswer(renderStunError(request))).toBeUndefined();
      expect(parseStunRequest(renderStunAnswer(answer))).toBeUndefined();
    }),
  );
});

it('an old server that knows MAPPED-ADDRESS only is understood', () => {
  const text = `0101000c 2112a442 ${Buffer.from(transaction).toString('hex')} 00010008 00010d96 0b020002`;
  expect(parseStunAnswer(bytes(text))?.mapped).toEqual({ host: '11.2.0.2', port: 3478 });
});

/** 10,000 messages that are broken in one to eight places: none is an error of ours, and none claims what is impossible. */
it('never throws, whatever comes', () => {
  const whole = renderStunAnswer({
    transaction,
    mapped: { host: '11.2.0.2', port: 4711 },
    origin: { host: '2001:db9::1', port: 3478 },
    other: { host: '11.1.0.3', port: 3479 },
  });
  for (let run = 0; run < 10_000; run += 1) {
    const broken = Uint8Array.from(whole);
    for (const [at, by] of Array.from({ length: 1 + (run % 8) }, () => randomBytes(2))) {
      broken[(at ?? 0) % broken.length] = by ?? 0;
    }
    const cut = broken.subarray(0, run % 3 === 0 ? run % (whole.length + 1) : whole.length);
    const answer = parseStunAnswer(cut);
    if (answer !== undefined) {
      expect(answer.mapped.port).toBeGreaterThan(0);
      expect(answer.mapped.host).toMatch(/^[0-9a-f.:]+$/);
    }
    parseStunRequest(cut);
  }
});
