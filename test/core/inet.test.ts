import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import {
  formatEndpoint,
  formatIpv4,
  isHostName,
  isInCidr,
  isPrivate,
  isPublicUnicast,
  parseCidr,
  parseEndpoint,
  parseIpv4,
} from '../../src/core/inet.ts';

describe('IPv4 addresses', () => {
  it('survive a round trip', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (value) => {
        expect(parseIpv4(formatIpv4(value))).toBe(value);
      }),
    );
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.0.0.1',
    '1.2.3.4 ',
    '-1.2.3.4',
    '1e1.2.3.4',
    '0x1.2.3.4',
  ])('refuses %j', (text) => expect(parseIpv4(text)).toBeUndefined());
});

describe('CIDR blocks', () => {
  it('know their first and last address', () => {
    expect(parseCidr('10.64.0.0/20')).toEqual({
      first: parseIpv4('10.64.0.0'),
      last: parseIpv4('10.64.15.255'),
      bits: 20,
    });
    expect(isInCidr('10.64.15.255', '10.64.0.0/20')).toBe(true);
    expect(isInCidr('10.64.16.0', '10.64.0.0/20')).toBe(false);
  });

  it.each(['10.64.0.1/20', '10.64.0.0/33', '10.64.0.0', '10.64.0.0/020', '/20'])('refuses %j', (text) =>
    expect(parseCidr(text)).toBeUndefined(),
  );
});

describe('who an address belongs to', () => {
  it.each(['11.2.0.2', '8.8.8.8', '172.15.255.255', '100.63.255.255', '223.255.255.255'])(
    '%s is one host on the internet',
    (address) => expect(isPublicUnicast(address)).toBe(true),
  );

  it.each([
    '192.168.1.7',
    '10.0.0.1',
    '172.31.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.1.1',
    '224.0.0.1',
    '255.255.255.255',
    'x',
  ])('%s is not', (address) => expect(isPublicUnicast(address)).toBe(false));

  it('tells private addresses from shared ones', () => {
    expect(isPrivate('192.168.0.1')).toBe(true);
    expect(isPrivate('100.64.0.1')).toBe(false);
  });
});

describe('endpoints', () => {
  it.each([
    ['home.example.net:51820', { host: 'home.example.net', port: 51820, type: 'name' }],
    ['11.2.0.2:1', { host: '11.2.0.2', port: 1, type: 'ipv4' }],
    ['[2001:db8::1]:65535', { host: '2001:db8::1', port: 65535, type: 'ipv6' }],
  ])('reads %s', (text, endpoint) => {
    expect(parseEndpoint(text)).toEqual(endpoint);
    expect(formatEndpoint(parseEndpoint(text)!)).toBe(text);
  });

  it.each([
    'home.example.net',
    'home.example.net:0',
    'home.example.net:65536',
    '2001:db8::1:51820',
    '[home]:1',
    'a b:1',
    'host:1\nPostUp = reboot',
    '-x:1',
    '999.1.1.1:1',
    '[1::2::3]:1',
    ':1',
  ])('refuses %j', (text) => expect(parseEndpoint(text)).toBeUndefined());

  it('knows names from numbers', () => {
    expect(isHostName('x'.repeat(64))).toBe(false);
    expect(isHostName('1.2.3')).toBe(false);
    expect(isHostName('xn--bcher-kva.example')).toBe(true);
  });
});
