import { describe, expect, it } from 'vitest';
import { readDomain } from '../../../src/core/domain.ts';
import { judgeName, type NameInput } from '../../../providers/clearnet/name.ts';

describe('a domain as a person writes it', () => {
  it.each([
    ['pay.shop.test', 'pay.shop.test'],
    ['Pay.Shop.Example.', 'pay.shop.example'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['日本語.example', 'xn--wgv71a119e.example'],
    ['11.2.0.2', '11.2.0.2'],
  ])('%s is %s in DNS', (written, domain) => {
    expect(readDomain(written)).toEqual({ domain });
  });

  it.each([
    ['', 'whole DNS name'],
    ['shop', 'whole DNS name'],
    ['https://pay.shop.test', 'a name alone'],
    ['pay.shop.test:8443', 'a name alone'],
    ['pay.shop.test/cart', 'a name alone'],
    ['*.shop.test', 'a name alone'],
    ['pay shop.test', 'a name alone'],
    ['pay.shop.test\nbind :22', 'a name alone'],
    ['-pay.shop.test', 'whole DNS name'],
    ['pay..shop.test', 'whole DNS name'],
    ['shop.local', 'ends in .local, which nobody can own'],
    [`${'a'.repeat(56)}.onion`, 'ends in .onion'],
    ['router.home.arpa', 'ends in .home.arpa'],
    ['1.2', 'whole DNS name'],
    ['192.168.1.7', 'nobody outside can reach'],
    ['127.0.0.1', 'nobody outside can reach'],
    ['::1', 'a name alone'],
  ])('%j is refused', (written, why) => {
    expect(readDomain(written)).toEqual({ fault: expect.stringContaining(why) });
  });
});

describe('where a name leads', () => {
  const judge = (change: Partial<NameInput>) =>
    judgeName({
      domain: 'pay.shop.test',
      addresses: ['11.2.0.2'],
      home: '11.2.0.2',
      told: ['11.2.0.2'],
      home6: [],
      isShared: false,
      isKept: false,
      ...change,
    });
  const RECORD =
    'set this DNS record at whoever keeps the domain: name pay.shop.test, type A, value 11.2.0.2';

  it('may lead to relays as well, where they carry it too; but to the home in any case', () => {
    const both = { isShared: true, addresses: ['11.1.0.2', '11.2.0.2'] };
    expect(judge(both).status).toBe('right');
    expect(judge({ ...both, isShared: false }).status).toBe('wrong');
    expect(judge({ ...both, addresses: ['11.1.0.2'] }).status).toBe('wrong');
  });

  it('is right at the address of the home, and then there is nothing to do', () => {
    expect(judge({})).toEqual({
      status: 'right',
      reason: 'NameRight',
      message: 'pay.shop.test points to this home (11.2.0.2)',
    });
  });

  it.each([
    ['it has no address', { addresses: [] }, 'wrong', 'has no address yet'],
    [
      'it is elsewhere',
      { addresses: ['11.9.9.9'] },
      'wrong',
      'points to 11.9.9.9, but this home is at 11.2.0.2',
    ],
    [
      'some visitors are sent elsewhere',
      { addresses: ['11.2.0.2', '11.9.9.9'] },
      'wrong',
      'also points to 11.9.9.9',
    ],
    [
      'an IPv6 address is not ours',
      { addresses: ['11.2.0.2', '2b00:1::7'] },
      'wrong',
      'also points to 2b00:1::7',
    ],
  ] as const)('when %s, the record to set is said', (_when, change, status, message) => {
    const state = judge(change);
    expect(state).toMatchObject({ status, advice: RECORD });
    expect(state.message).toContain(message);
    // Whoever has given the gateway the zone sets nothing by hand.
    expect(judge({ ...change, isKept: true }).advice).toBeUndefined();
  });

  it('is the address itself for a page without a name', () => {
    expect(judge({ domain: '11.2.0.2' })).toMatchObject({ status: 'right', reason: 'AddressRight' });
    expect(judge({ domain: '11.2.0.7' })).toMatchObject({ status: 'wrong', reason: 'AddressChanged' });
  });

  it('tells nobody to set what may be there, while the resolver does not answer', () => {
    const state = judge({ addresses: undefined });
    expect(state).toMatchObject({ status: 'unknown', reason: 'NameUnknown' });
    expect(state.advice).toBeUndefined();
  });

  it('is not decided by an answer that only this network gives, nor without knowing the home', () => {
    expect(judge({ addresses: ['192.168.50.10'] })).toMatchObject({
      status: 'unknown',
      reason: 'NameInside',
    });
    expect(judge({ home: undefined, told: [] })).toMatchObject({
      status: 'unknown',
      reason: 'AddressUnknown',
    });
    const disputed = judge({ home: undefined, told: ['11.2.0.9', '11.2.0.2'] });
    expect(disputed.message).toContain('tells different addresses (11.2.0.9, 11.2.0.2)');
    expect(judge({ addresses: ['11.2.0.2', '2b00:1::7'], home6: ['2b00:1::7'] }).status).toBe('right');
  });
});
