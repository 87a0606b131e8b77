import { isIPv6 } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIpv6, isInIpv6Cidr, isPublicIpv6, parseIpv6, parseIpv6Cidr } from '../../src/core/inet6.ts';

describe('IPv6 addresses', () => {
  it('survive a round trip, in the form that everybody else writes', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const text = groups.map((each) => each.toString(16)).join(':');
        const value = parseIpv6(text) ?? -1n;
        const short = formatIpv6(value);
        expect(parseIpv6(short)).toBe(value);
        // The one of node writes the last 32 bits like IPv4 in a few blocks.
        const theirs = new URL(`http://[${text}]/`).hostname.slice(1, -1);
        expect(short).toBe(theirs);
      }),
    );
  });

  it.each([
    ['fd12:3456:789A::0a40:0102', 'fd12:3456:789a::a40:102'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['2001:0:0:1:0:0:1:1', '2001::1:0:0:1:1'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
  ])('%s is %s', (text, canonical) => expect(formatIpv6(parseIpv6(text) ?? -1n)).toBe(canonical));

  it('are taken where the system takes them, without zones and embedded IPv4', () => {
    const part = fc.oneof(
      fc.constantFrom('', ':', '::', 'g', '12345', '1.2.3.4', '%eth0'),
      fc.integer({ min: 0, max: 0x1ffff }).map((value) => value.toString(16)),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const text = parts.join(':');
        expect(parseIpv6(text) !== undefined).toBe(isIPv6(text) && !/[.%]/.test(text));
      }),
    );
  });
});

describe('IPv6 blocks', () => {
  it('know what lies in them', () => {
    expect(parseIpv6Cidr('fd12:3456:789a::/48')?.last).toBe(
      parseIpv6('fd12:3456:789a:ffff:ffff:ffff:ffff:ffff'),
    );
    expect(isInIpv6Cidr('fd12:3456:789a::1', 'fd12:3456:789a::/48')).toBe(true);
    expect(isInIpv6Cidr('fd12:3456:789b::1', 'fd12:3456:789a::/48')).toBe(false);
  });

  it.each(['fd00::1/48', 'fd00::/129', 'fd00::', '10.0.0.0/8', 'fd00::/048', '/48'])('refuses %s', (text) =>
    expect(parseIpv6Cidr(text)).toBeUndefined(),
  );
});

it.each([
  ['2606:4700::1111', true],
  ['2a02:8071:1234::1', true],
  ['fd12:3456:789a::1', false],
  ['fe80::1', false],
  ['2001:db8::1', false],
  ['2002:c000:201::1', false],
  ['ff02::1', false],
  ['::1', false],
  ['11.2.0.2', false],
])('whether %s is public is %s', (address, isPublic) => expect(isPublicIpv6(address)).toBe(isPublic));
