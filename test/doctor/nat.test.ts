import { expect, it } from 'vitest';
import type { FindingCode } from '../../src/doctor/findings.ts';
import { sayIn } from '../../src/doctor/messages/say.ts';
import { natFindings, type NeedsPort } from '../../src/doctor/nat-findings.ts';
import { pathOf } from '../../src/doctor/render-path.ts';
import { NatReport, type NatHop, type Report } from '../../src/doctor/types.ts';

const hop = (ttl: number, lan: string, wan: string | null, more: Partial<NatHop> = {}): NatHop => ({
  ttl,
  lan,
  wan,
  seenSourceByNext: null,
  stateful: 'unknown',
  translates: 'yes',
  owner: 'yours',
  portmap: { upnp: 'no', pmp: 'no', pcp: 'no', epoch: null },
  model: null,
  page: null,
  evidence: [`nat.trace-${ttl}`],
  ...more,
});

function natOf(hops: readonly NatHop[], more: Partial<NatReport> = {}): NatReport {
  const count = hops.filter(({ translates }) => translates === 'yes').length;
  return NatReport.parse({
    count: { min: count, max: count, exact: true, likely: count, doubts: [] },
    hops,
    mapping: 'endpoint-independent',
    filtering: 'address-and-port-dependent',
    publicV4: '203.0.113.77',
    publicV6: null,
    evidence: [{ id: 'nat.own-address', method: 'own-address', at: '', raw: { address: '192.168.1.20' } }],
    ...more,
  });
}

const single = natOf([hop(1, '192.168.1.1', '203.0.113.77')]);
const double = natOf([hop(1, '192.168.1.1', '192.168.0.12'), hop(2, '192.168.0.1', '203.0.113.77')]);
const likelyDouble = natOf(
  [hop(1, '192.168.1.1', '192.168.0.12', { translates: 'unknown' }), hop(2, '192.168.0.1', '203.0.113.77')],
  { count: { min: 1, max: 2, exact: false, likely: 2, doubts: ['unproved'] } },
);
const shared = natOf([
  hop(1, '192.168.1.1', '100.72.14.9'),
  hop(2, '100.72.0.1', '203.0.113.77', { owner: 'provider' }),
]);
const squatted = natOf([hop(1, '192.168.1.1', '25.1.2.3'), hop(2, '25.0.0.1', null, { owner: 'provider' })]);
const triple = natOf([
  hop(1, '192.168.1.1', '192.168.0.12', {
    model: 'TP-Link Archer',
    portmap: { upnp: 'yes', pmp: 'no', pcp: 'no', epoch: 4 },
  }),
  hop(2, '192.168.0.1', '100.72.14.9'),
  hop(3, '100.72.0.1', '203.0.113.77', { owner: 'provider' }),
]);

it.each<[string, NatReport, NeedsPort, [FindingCode, string][]]>([
  ['one router', single, 'no', []],
  ['a router behind another', double, null, [['NAT_DOUBLE', 'warning']]],
  ['… where a way waits for it', double, 'no', [['NAT_DOUBLE', 'error']]],
  ['… where all ways work', double, 'yes', [['NAT_DOUBLE', 'note']]],
  ['a carrier', shared, 'no', [['NAT_CARRIER', 'error']]],
  ['a carrier with addresses that look public', squatted, null, [['NAT_CARRIER', 'warning']]],
  [
    'three',
    triple,
    'no',
    [
      ['NAT_CARRIER', 'error'],
      ['NAT_DOUBLE', 'warning'],
    ],
  ],
  ['two that probably translate', likelyDouble, 'no', [['NAT_DOUBLE', 'warning']]],
  [
    'a symmetric one',
    { ...single, mapping: 'address-and-port-dependent' },
    'yes',
    [['NAT_SYMMETRIC', 'note']],
  ],
])('of %s it finds', (_, nat, ways, expected) => {
  const found = natFindings(nat, ways).map(({ code, severity }) => [code, severity ?? 'note']);
  expect(found).toEqual(expected);
});

it('asks routers that take requests before anybody types into their pages', () => {
  const open = { upnp: 'no', pmp: 'yes', pcp: 'no', epoch: 1 } as const;
  const [asks] = natFindings(natOf(double.hops.map((each) => ({ ...each, portmap: open }))), 'no');
  expect(asks?.fix.at(-1)?.command).toBe('gateway ports open --through');
  const [types] = natFindings(double, 'no');
  expect(types?.fix.at(-1)?.text.values).toMatchObject({ page: 'http://192.168.0.1', wan: '192.168.0.12' });
});

it('draws the way out, one box under the other', () => {
  const report = { nat: triple, evidence: triple.evidence } as unknown as Report;
  expect(pathOf(report, { say: sayIn('en'), columns: 120 })).toEqual([
    'The way out of your home: 3 routers translate addresses (exact)',
    '',
    '  this machine  192.168.1.20',
    '   |',
    '  router 1      192.168.1.1 -> 192.168.0.12  "TP-Link Archer", probably yours, translates, opens ports when asked',
    '   |',
    '  router 2      192.168.0.1 -> 100.72.14.9   probably yours, translates',
    '   |',
    "  router 3      100.72.0.1 -> 203.0.113.77   probably your provider's, translates",
    '   |',
    '  internet                                   the world sees 203.0.113.77',
  ]);
});
