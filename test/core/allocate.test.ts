import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import {
  allocate,
  allocateAll,
  deviceBlock,
  deviceRange,
  interfaceAddress,
  networkFor,
  serviceRange,
} from '../../src/core/allocate.ts';
import { formatIpv4, overlaps, parseCidr, parseIpv4 } from '../../src/core/inet.ts';

const shown = (range: { first: number; last: number }): string =>
  `${formatIpv4(range.first)} ${formatIpv4(range.last)}`;

describe('layout of the pool', () => {
  it('is as documented for the default pool', () => {
    expect(shown(serviceRange('10.64.0.0/20'))).toBe('10.64.1.2 10.64.7.255');
    expect(shown(deviceRange('10.64.0.0/20'))).toBe('10.64.8.2 10.64.15.254');
    expect(interfaceAddress('10.64.0.0/20')).toBe('10.64.8.1');
    expect(deviceBlock('10.64.0.0/20')).toBe('10.64.8.0/21');
    expect(networkFor('gw', '10.64.0.0/20')).toEqual({
      prefix: 'gw',
      pool: '10.64.0.0/20',
      hub: '10.64.0.1',
      edge: '10.64.0.2',
      tor: '10.64.0.3',
    });
  });

  it.each([16, 17, 18, 19, 20, 21, 22, 23, 24])('never overlaps itself in a /%i', (bits) => {
    const pool = `10.64.0.0/${bits}`;
    const services = serviceRange(pool);
    const devices = deviceRange(pool);
    const own = { first: parseIpv4('10.64.0.0')!, last: parseIpv4(networkFor('gw', pool).tor)! };
    expect(overlaps(services, devices)).toBe(false);
    expect(overlaps(services, own)).toBe(false);
    expect(devices.last).toBeLessThan(parseCidr(pool)!.last);
    expect(services.last - services.first).toBeGreaterThan(100);
    expect(devices.last - devices.first).toBeGreaterThan(100);
  });

  it.each(['10.64.0.0/15', '10.64.0.0/25', '10.64.0.1/20', 'pool'])('refuses %s', (pool) =>
    expect(() => networkFor('gw', pool)).toThrow('from /16 to /24'),
  );
});

describe('allocation', () => {
  const range = { first: parseIpv4('10.64.8.2')!, last: parseIpv4('10.64.8.5')! };

  it('takes the lowest free address, and says so when there is none', () => {
    expect(allocate(range, new Set(['10.64.8.2']), 'phone')).toBe('10.64.8.3');
    const all = new Set(['10.64.8.2', '10.64.8.3', '10.64.8.4', '10.64.8.5']);
    expect(() => allocate(range, all, 'phone')).toThrow('no address is left for phone');
  });

  it('never changes an address that is held, in whatever order the names come', () => {
    const name = fc.stringMatching(/^[a-f]{1,2}$/);
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 4 }), fc.array(name), (names, more) => {
        const before = allocateAll(range, names, new Map()).addresses;
        const after = allocateAll(range, [...more, ...names], before);
        for (const [owner, address] of before) expect(after.addresses.get(owner)).toBe(address);
        const reversed = allocateAll(range, [...more, ...names].toReversed(), before);
        expect(reversed).toEqual(after);
        expect(new Set(after.addresses.values()).size).toBe(after.addresses.size);
        expect(after.addresses.size + after.exhausted.length).toBe(new Set([...more, ...names]).size);
      }),
    );
  });

  it('replaces an address that is outside of the range', () => {
    const held = new Map([
      ['a', '10.99.0.1'],
      ['b', '10.64.8.2'],
    ]);
    expect(Object.fromEntries(allocateAll(range, ['a', 'b'], held).addresses)).toEqual({
      a: '10.64.8.3',
      b: '10.64.8.2',
    });
  });
});
