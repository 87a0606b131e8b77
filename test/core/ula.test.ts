import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import { isInIpv6Cidr } from '../../src/core/inet6.ts';
import { chooseUla, deviceBlock6, hostBlocks, isUla, pooledOf, routeIn, twinOf } from '../../src/core/ula.ts';

const ULA = 'fd12:3456:789a::/48';
const network = networkFor('gw', '10.64.0.0/20', ULA);
const bytes =
  (...values: number[]) =>
  (count: number) =>
    Uint8Array.from(values.slice(0, count));

it('gives each address of the pool its twin, and back', () => {
  expect(twinOf(network, '10.64.1.2')).toBe('fd12:3456:789a::a40:102');
  expect(hostBlocks(network, '10.64.8.2')).toEqual(['10.64.8.2/32', 'fd12:3456:789a::a40:802/128']);
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const twin = twinOf(network, address) ?? '';
      expect(pooledOf(twin)).toBe(address);
      expect(isInIpv6Cidr(twin, ULA)).toBe(true);
    }),
  );
});

it('has no twins without IPv6', () => {
  const without = networkFor('gw', '10.64.0.0/20');
  expect(twinOf(without, '10.64.1.2')).toBeUndefined();
  expect(hostBlocks(without, '10.64.1.2')).toEqual(['10.64.1.2/32']);
  expect(deviceBlock6(without)).toBeUndefined();
});

it('holds the twins of the devices, and no others, in the block that leads to them', () => {
  expect(deviceBlock6(network)).toBe('fd12:3456:789a::a40:800/117');
  const leads = (address: string): boolean =>
    isInIpv6Cidr(twinOf(network, address) ?? '', deviceBlock6(network) ?? '');
  expect(['10.64.8.0', '10.64.15.255'].map(leads)).toEqual([true, true]);
  expect(['10.64.7.255', '10.64.16.0', '10.64.0.1'].map(leads)).toEqual([false, false, false]);
});

it('is random, and no route of the host lies in it', () => {
  const random = bytes(0x12, 0x34, 0x56, 0x78, 0x9a);
  expect(chooseUla([], random)).toBe(ULA);
  expect(chooseUla(['::/1', '8000::/1', 'fc00::/7'], random)).toBe(ULA);
  expect(chooseUla(['fd12:3456:789a:1::/64'], random)).toBeUndefined();
  let asked = 0;
  const second = (count: number): Uint8Array => {
    asked += 1;
    return bytes(asked, 2, 3, 4, 5)(count);
  };
  expect(chooseUla(['fd01:203:405::5'], second)).toBe('fd02:203:405::/48');
  expect(routeIn(ULA, ['fe80::/64', 'fd12:3456::/32'])).toBe('fd12:3456::/32');
});

it('always has one form', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 5, maxLength: 5 }), (random) => {
      expect(isUla(chooseUla([], () => random) ?? '')).toBe(true);
    }),
  );
  for (const text of ['fd12:3456:789A::/48', 'fc12:3456:789a::/48', 'fd12:3456:789a::/64', 'fd12::', ''])
    expect(isUla(text)).toBe(false);
});
