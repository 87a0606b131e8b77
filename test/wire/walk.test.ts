import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeWalk, parseWalk } from '../../src/wire/walk.ts';

const packet = fc.record({
  session: fc.stringMatching(/^[0-9a-f]{32}$/),
  flow: fc.integer({ min: 0, max: 65_535 }),
  kind: fc.constantFrom('refresh' as const, 'probe' as const, 'open' as const),
});

it('reads back what it wrote', () => {
  fc.assert(
    fc.property(packet, (one) => {
      expect(parseWalk(encodeWalk(one))).toEqual(one);
    }),
  );
});

it('takes nothing else for one, whatever comes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => parseWalk(bytes) === undefined));
  const good = encodeWalk({ session: 'ab'.repeat(16), flow: 7, kind: 'probe' });
  expect(parseWalk(good.slice(0, -1))).toBeUndefined();
  expect(parseWalk(Uint8Array.of(...good, 0))).toBeUndefined();
  expect(parseWalk(good.with(22, 3))).toBeUndefined();
  expect(parseWalk(good.with(0, 0))).toBeUndefined();
});
