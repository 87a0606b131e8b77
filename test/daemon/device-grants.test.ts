import { expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import type { Device } from '../../src/core/service.ts';
import { withGrant, withoutGrant, wordsOf } from '../../src/daemon/device-grants.ts';

const HOOK = { service: 'btcpay', port: 8080 };
const SHOP: Device = {
  name: 'webshop',
  services: ['btcpay', 'lnd'],
  publicKey: 'pub',
  addedAt: '2026-01-01T00:00:00.000Z',
  reachedBy: [HOOK],
};

it('gives what is new and keeps the rest', () => {
  const given = withGrant(SHOP, { services: ['lnd', 'wiki'], reachedBy: [HOOK, { ...HOOK, port: 9 }] });
  expect(given).toEqual({
    ...SHOP,
    services: ['btcpay', 'lnd', 'wiki'],
    reachedBy: [HOOK, { ...HOOK, port: 9 }],
  });
  expect(wordsOf({ services: ['lnd'], reachedBy: [HOOK] })).toBe('lnd; connections of btcpay:8080');
});

it('takes away what is there, and only that', () => {
  const { reachedBy: _none, ...plain } = SHOP;
  const left = withoutGrant(SHOP, { services: ['lnd'], reachedBy: [HOOK] });
  expect(left).toEqual({ ...plain, services: ['btcpay'] });
  expect(withoutGrant(plain, { services: ['lnd'] })).toEqual({ ...plain, services: ['btcpay'] });
});

it('gives a right and takes it away, with what it is for', () => {
  const given = withGrant(SHOP, { services: [], rights: ['lnd:unlock'] });
  expect(given.rights).toEqual(['lnd:unlock']);
  expect(withoutGrant(given, { services: [], rights: ['lnd:unlock'] })).toEqual(SHOP);
  expect(wordsOf({ services: ['lnd'], rights: ['lnd:unlock'] })).toBe('lnd; lnd:unlock');
});

it.each([
  [
    { services: [], rights: ['lnd:unlock'] as const },
    /webshop does not have the right lnd:unlock → it has none/,
  ],
  [{ services: ['wiki'] }, /webshop was not given wiki → it may reach btcpay, lnd/],
  [{ services: [], reachedBy: [{ service: 'lnd', port: 1 }] }, /lnd:1 may not connect .* → .* btcpay:8080/],
  [{ services: ['btcpay', 'lnd'] }, /nothing would be left of webshop → .*: gateway device revoke webshop/],
])('refuses to take away %j', (grant, words) => {
  const attempt = (): unknown => withoutGrant(SHOP, grant);
  expect(attempt).toThrow(GatewayError);
  try {
    attempt();
  } catch (error) {
    const { message, hint } = error as GatewayError;
    expect(`${message} → ${hint}`).toMatch(words);
  }
});
