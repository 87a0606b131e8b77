import { expect, it } from 'vitest';
import { defaultRouter6, lastingAddress } from '../../../src/system/mapping/home-network6.ts';

/** As the kernel prints them: proc(5), net/ipv6/route.c, net/ipv6/addrconf.c. */
const NONE = '0'.repeat(32);
const LINK_LOCAL = `fe80${'0'.repeat(27)}1`;
const GLOBAL = `2b000050${'0'.repeat(23)}1`;
const route = (gateway: string, metric: string, flags: string, name: string): string =>
  `${NONE} 00 ${NONE} 00 ${gateway} ${metric} 00000001 00000000 ${flags} ${name.padStart(8)}`;
const address = (last: string, flags: string, name = 'eth0', scope = '00'): string =>
  `2b000050000000000000000000000${last} 02 40 ${scope} ${flags} ${name.padStart(8)}`;

it('takes the default route with the lowest metric, and says by which interface a link-local router is reached', () => {
  const table = [
    route(NONE, '00000001', '00000001', 'lo'),
    route(GLOBAL, '00000400', '00000003', 'eth1'),
    route(LINK_LOCAL, '00000064', '00000003', 'eth0'),
    route(LINK_LOCAL, '00000001', '00200200', 'eth2'),
  ].join('\n');
  expect(defaultRouter6(table)).toEqual({ router: 'fe80::1%eth0', interface: 'eth0' });
  expect(defaultRouter6(route(GLOBAL, '00000400', '00000003', 'eth1'))?.router).toBe('2b00:50::1');
  expect(defaultRouter6('')).toBeUndefined();
});

it('tells visitors no address that ends soon, is not theirs to use, or belongs to another network', () => {
  const temporary = address('009', '01');
  const deprecated = address('008', '20');
  const made = address('005', '00');
  const given = address('007', '80');
  const other = address('001', '80', 'eth1');
  const link = address('002', '80', 'eth0', '20');
  const table = [temporary, deprecated, made, other, link].join('\n');
  expect(lastingAddress(table, 'eth0')).toBe('2b00:50::5');
  expect(lastingAddress(`${table}\n${given}`, 'eth0')).toBe('2b00:50::7');
  expect(lastingAddress([temporary, deprecated].join('\n'), 'eth0')).toBeUndefined();
});
