import { expect, it } from 'vitest';
import { tor } from '../../providers/tor/index.ts';
import { wireguard } from '../../providers/wireguard/index.ts';
import { networkFor } from '../../src/core/allocate.ts';
import { parseConfig } from '../../src/core/config.ts';
import type { Provider } from '../../src/core/contract.ts';
import { compileDesired } from '../../src/core/desired.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { Device } from '../../src/core/service.ts';
import { demandRoom, waysFor } from '../../src/daemon/device-ways.ts';

const PROVIDERS = [wireguard, tor] as unknown as readonly Provider[];
const { config } = parseConfig(
  `wireguard: { endpoint: 11.2.0.2:51820 }
services:
  shop: { port: 80, kind: http, expose: { tor: {}, wireguard: {} } }
  blog: { port: 81, kind: http, expose: { tor: {} } }
  lnd: { port: 82, kind: lnd, expose: { tor: {} } }
  both: { port: 83, kind: lnd, expose: { tor: {}, wireguard: {} } }
  hidden: { port: 84, kind: http, expose: {} }
`,
  PROVIDERS,
);
if (config === undefined) throw new Error('the config is not valid');
const desired = compileDesired({
  config,
  devices: [],
  ledger: {},
  parts: [],
  providers: PROVIDERS,
  network: networkFor('gw', '10.64.0.0/20'),
});
const ways = (...services: string[]): string[] => waysFor(services, desired, PROVIDERS).map(({ id }) => id);
const refusal = (...services: string[]): string => {
  try {
    return ways(...services).join();
  } catch (error) {
    if (error instanceof GatewayError) return `${error.message} → ${error.hint}`;
    throw error;
  }
};

it.each([
  [['shop'], ['wireguard']],
  [['lnd'], ['tor']],
  [['both'], ['wireguard', 'tor']],
  [
    ['shop', 'lnd'],
    ['wireguard', 'tor'],
  ],
])('%j needs the credentials of %j', (services, expected) => expect(ways(...services)).toEqual(expected));

it('refuses a service that everybody may reach, and says how to change that', () => {
  expect(refusal('blog')).toMatch(/blog has no way in .*lets everybody in .*authorization: required/);
  expect(refusal('lnd', 'blog')).toMatch(/^blog/);
});

it('refuses a service without a way in, and one that is not there', () => {
  expect(refusal('hidden')).toMatch(/expose it first: gateway expose hidden --via wireguard/);
  expect(refusal('nothing')).toMatch(/there is no service nothing → services: .*shop/);
});

it('refuses one device more than an onion can announce itself to', () => {
  const devices = Array.from({ length: 300 }, (_, index): Device => {
    return { name: `d${index}`, services: ['lnd'], onionKey: 'A'.repeat(52), addedAt: '' };
  });
  const room = (services: string[], count: number) => () =>
    demandRoom(services, waysFor(services, desired, PROVIDERS), devices.slice(0, count));
  expect(room(['lnd'], 299)).not.toThrow();
  expect(room(['lnd'], 300)).toThrow(/lnd has 300 devices already/);
  expect(room(['both'], 300)).not.toThrow();
});
