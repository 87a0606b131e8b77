import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { RelayCarry } from '../../src/core/relay-carry.ts';
import { RelayRequest } from '../../src/core/relay.ts';
import { freeNumber, grant } from '../../src/relay/carry/grants.ts';
import { DEVICES_PORTS, faultOf, type Holding, type RelayGround } from '../../src/relay/state.ts';

const ground: RelayGround = {
  publicKey: `${'R'.repeat(42)}E=`,
  block: '10.127.16.0/20',
  wireguardPort: 51_820,
  tlsPort: 443,
  httpPort: 80,
  mtu: 1420,
};
const idle = { tcp: new Set<number>(), udp: new Set<number>() };
const homeOf = (digit: string, number: number): Holding => ({
  home: digit.repeat(16),
  publicKey: `${digit.repeat(42)}E=`,
  number,
  names: [],
  ports: [],
  devicesPort: null,
});
const ask = (mine: Holding, asked: Partial<RelayCarry>, holdings: readonly Holding[] = [], more = {}) =>
  grant(
    mine,
    { names: [], ports: [], devices: false, ...asked },
    { ground, listening: idle, ownPort: 7443, holdings, ...more },
  );

it('gives a name or port to who asked first, and keeps it while it is asked for', () => {
  const first = ask(homeOf('a', 2), {
    names: ['pay.example.com'],
    ports: [{ protocol: 'tcp', from: 9735 }],
    devices: true,
  });
  expect(first.carried.devicesPort).toBe(DEVICES_PORTS.from);
  const second = ask(
    homeOf('b', 3),
    { names: ['pay.example.com'], ports: [{ protocol: 'tcp', from: 9000, to: 9999 }], devices: true },
    [first.holding],
  );
  expect(second.carried).toEqual({
    names: [
      { name: 'pay.example.com', granted: false, why: 'another home of this relay has pay.example.com' },
    ],
    ports: [
      {
        protocol: 'tcp',
        from: 9000,
        to: 9999,
        granted: false,
        why: 'another home of this relay has TCP 9000-9999, or a port of it',
      },
    ],
    devicesPort: DEVICES_PORTS.from + 1,
  });
  const again = ask(first.holding, { names: ['pay.example.com'], devices: true }, [second.holding]);
  expect(again.holding).toEqual({ ...first.holding, ports: [] });
  const freed = ask(second.holding, { ports: [{ protocol: 'tcp', from: 9735 }] }, [again.holding]);
  expect(freed.carried.ports).toEqual([{ protocol: 'tcp', from: 9735, granted: true }]);
});

it.each([
  ['tcp', 22, 'the relay itself has TCP 22'],
  ['tcp', 7443, 'the relay itself has TCP 7443'],
  ['udp', 51_820, 'the relay itself has UDP 51820'],
  ['udp', 51_821, 'the relay itself has UDP 51821'],
  ['tcp', 25, "a program on the relay's machine has TCP 25"],
] as const)('keeps %s %i from homes', (protocol, from, why) => {
  const listening = { tcp: new Set([25]), udp: new Set<number>() };
  const { carried } = ask(homeOf('a', 2), { ports: [{ protocol, from }] }, [], { listening });
  expect(carried.ports).toEqual([{ protocol, from, granted: false, why }]);
});

it('ends at two thousand ports for one home', () => {
  const range = (from: number) => ({ protocol: 'tcp' as const, from, to: from + 1499 });
  const { carried } = ask(homeOf('a', 2), { ports: [range(10_000), range(20_000)] });
  expect(carried.ports.map(({ granted }) => granted)).toEqual([true, false]);
});

const port = fc.integer({ min: 1, max: 65_535 });
const carry = fc.record({
  names: fc.array(fc.constantFrom('a.test', 'b.test', 'c.test'), { maxLength: 4 }),
  ports: fc.array(
    fc
      .record({ protocol: fc.constantFrom('tcp' as const, 'udp' as const), from: port, to: port })
      .map(({ protocol, from, to }) => ({ protocol, from: Math.min(from, to), to: Math.max(from, to) })),
    { maxLength: 5 },
  ),
  devices: fc.boolean(),
});

it('whatever homes ask for, what they hold is a state that the root part takes', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), carry), { maxLength: 12 }), (asked) => {
      const homes = [homeOf('a', 2), homeOf('b', 3), homeOf('c', 4)];
      for (const [index, wanted] of asked) {
        homes[index] = ask(homes[index]!, wanted, homes).holding;
      }
      expect(faultOf(homes, ground)).toBeUndefined();
    }),
    { numRuns: 200 },
  );
});

it('the root part refuses a state in which homes share anything, whoever wrote it', () => {
  const a = { ...homeOf('a', 2), names: ['a.test'], ports: [{ protocol: 'tcp' as const, from: 5, to: 9 }] };
  const b = homeOf('b', 3);
  expect(faultOf([a, b], ground)).toBeUndefined();
  const bad: Holding[] = [
    { ...b, names: ['a.test'] },
    { ...b, number: 2 },
    { ...b, publicKey: a.publicKey },
    { ...b, ports: [{ protocol: 'tcp', from: 9, to: 12 }] },
    { ...b, ports: [{ protocol: 'tcp', from: 20, to: 30 }] },
    { ...b, devicesPort: 53 },
  ];
  for (const each of bad) expect(faultOf([a, each], ground)).toBeTypeOf('string');
});

it('numbers homes from 2, and has none left after 4,093', () => {
  const homes = Array.from({ length: 4093 }, (_, index) => homeOf('a', index + 2));
  expect(freeNumber(homes.filter(({ number }) => number !== 17))).toBe(17);
  expect(freeNumber(homes)).toBeUndefined();
});

it.each([
  ['a name with a space', { names: ['a b.test'], ports: [], devices: false }],
  ['a name that ends a line', { names: ['a.test\nadd map'], ports: [], devices: false }],
  ['a name without a dot', { names: ['localhost'], ports: [], devices: false }],
  ['an address', { names: ['11.1.0.2'], ports: [], devices: false }],
  ['capital letters', { names: ['A.test'], ports: [], devices: false }],
  ['a port of no number', { names: [], ports: [{ protocol: 'tcp', from: '1; drop' }], devices: false }],
  [
    'a range that ends before it begins',
    { names: [], ports: [{ protocol: 'tcp', from: 9, to: 5 }], devices: false },
  ],
  ['a word that is none', { names: [], ports: [], devices: false, all: true }],
  ['too many names', { names: Array(1001).fill('a.test'), ports: [], devices: false }],
])('does not read %s', (_what, asked) => {
  expect(RelayCarry.safeParse(asked).success).toBe(false);
});

it('no text makes it throw', () => {
  const text = fc.oneof(
    fc.json(),
    fc.json().map((json) => `{"ask":"carry","carry":${json}}`),
  );
  fc.assert(
    fc.property(text, (json) => {
      expect(RelayRequest.safeParse(JSON.parse(json)).success).toBe(false);
    }),
    { numRuns: 300 },
  );
});
