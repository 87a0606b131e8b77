import { expect, it } from 'vitest';
import { parseExpiry } from '../../src/cli/expiry.ts';

const NOW = Date.parse('2026-11-20T08:00:00Z');

it.each([
  ['30s', '2026-11-20T08:00:30.000Z'],
  ['90m', '2026-11-20T09:30:00.000Z'],
  ['12h', '2026-11-20T20:00:00.000Z'],
  ['30d', '2026-12-20T08:00:00.000Z'],
  ['4w', '2026-12-18T08:00:00.000Z'],
  ['2027-03-01', '2027-03-01T23:59:59.000Z'],
])('%s ends at %s', (text, expected) => expect(parseExpiry(text, NOW)).toBe(expected));

it.each(['30', 'd', '-1d', '1y', '99999w', '2027-13-01', 'tomorrow', '1d; reboot'])('refuses %j', (text) =>
  expect(() => parseExpiry(text, NOW)).toThrow(/--expires is/),
);

it.each(['0d', '2026-11-19'])('refuses %s, which is over', (text) =>
  expect(() => parseExpiry(text, NOW)).toThrow(/over already/),
);

it('is not asked for when it is left out', () => expect(parseExpiry(undefined, NOW)).toBeUndefined());
