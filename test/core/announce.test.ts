import { expect, it } from 'vitest';
import { announceProblem, provedAddress } from '../../src/core/announce.ts';
import { PRIVACIES } from '../../src/core/service.ts';
import { at } from '../support/home-address.ts';

it.each([
  ['nobody knows', [], undefined],
  ['a relay of ours alone saw us', [at('relay', '11.2.0.2')], '11.2.0.2'],
  ['a STUN server alone may lie', [at('stun', '11.2.0.2')], undefined],
  ['a router alone may be behind another', [at('router', '11.2.0.2')], undefined],
  ['an interface alone may be a way out of many', [at('interface', '11.2.0.2')], undefined],
  ['two of one kind are one voice', [at('stun', '11.2.0.2'), at('stun', '11.2.0.2')], undefined],
  ['two of different kinds', [at('stun', '11.2.0.2'), at('router', '11.2.0.2')], '11.2.0.2'],
  ['a relay that is contradicted', [at('relay', '11.66.6.6'), at('router', '11.2.0.2')], undefined],
  ['two relays that see two lines', [at('relay', '11.2.0.2'), at('relay', '11.3.0.2')], undefined],
  [
    'a liar is outvoted',
    [at('relay', '11.66.6.6'), at('stun', '11.2.0.2'), at('router', '11.2.0.2')],
    '11.2.0.2',
  ],
  ['what is not public', [at('relay', '100.65.0.2'), at('router', '100.65.0.2')], undefined],
  ['IPv6', [at('relay', '2001:db9::1'), at('interface', '2001:db9::1')], undefined],
] as const)('an address is proved, or not: %s', (_what, seen, proved) => {
  expect(provedAddress(seen)).toBe(proved);
});

it('whatever hides the home forbids to announce it', () => {
  const node = { announce: 9735 };
  const allowed = PRIVACIES.filter(
    (privacy) => announceProblem({ name: 'lnd', privacy, node }) === undefined,
  );
  expect(allowed).toEqual(['open']);
  expect(announceProblem({ name: 'lnd', privacy: 'open', egress: 'direct', node })).toBeUndefined();
  expect(announceProblem({ name: 'lnd', privacy: 'open', egress: 'tor', node })).toMatchObject({
    code: 'PrivacyForbids',
    hint: 'remove announce from services.lnd.node, or set its egress to none or direct',
  });
  expect(announceProblem({ name: 'lnd', privacy: 'tor-only', node: {} })).toBeUndefined();
});
