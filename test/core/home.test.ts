import { expect, it } from 'vitest';
import { agreedAddresses, believedAddresses } from '../../src/core/home.ts';
import { at } from '../support/home-address.ts';

it.each([
  ['nobody knows', [], undefined],
  ['one alone is believed', [at('router', '11.2.0.2')], '11.2.0.2'],
  ['farther outside is believed first', [at('router', '11.2.0.2'), at('relay', '11.3.0.2')], '11.3.0.2'],
  [
    'a relay that lies is outvoted',
    [at('relay', '11.66.6.6'), at('stun', '11.2.0.2'), at('router', '11.2.0.2')],
    '11.2.0.2',
  ],
  [
    'two servers of one kind are one voice',
    [at('stun', '11.66.6.6'), at('stun', '11.66.6.7'), at('router', '11.2.0.2')],
    '11.66.6.6',
  ],
  [
    'what is not public counts for nothing',
    [at('relay', '100.65.0.2'), at('router', '11.2.0.2')],
    '11.2.0.2',
  ],
  ['IPv6 is left out', [at('interface', '2001:db9::1')], undefined],
] as const)('of the home: %s', (_what, seen, ipv4) => {
  expect(believedAddresses(seen).ipv4).toBe(ipv4);
});

it.each([
  ['nobody knows', [], undefined],
  ['one alone, whom nobody contradicts', [at('router', '11.2.0.2')], '11.2.0.2'],
  ['a relay that lies against the router', [at('relay', '11.66.6.6'), at('router', '11.2.0.2')], undefined],
  ['a relay that lies against another relay', [at('relay', '11.66.6.6'), at('relay', '11.2.0.2')], undefined],
  [
    'a relay that lies is outvoted',
    [at('relay', '11.66.6.6'), at('stun', '11.2.0.2'), at('router', '11.2.0.2')],
    '11.2.0.2',
  ],
  ["a provider's NAT contradicts nobody", [at('relay', '11.2.0.2'), at('router', '100.65.0.2')], '11.2.0.2'],
] as const)('a name is moved to what is agreed: %s', (_what, seen, ipv4) => {
  expect(agreedAddresses(seen).ipv4).toBe(ipv4);
});
