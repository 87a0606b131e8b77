import { beforeAll, describe, expect, it } from 'vitest';
import type { NatReport } from '../../src/doctor/types.ts';
import { examineTogether, isWrong, verdictOf, type Examined } from '../nat-grid/examine.ts';
import { randomRows } from '../nat-grid/random.ts';
import type { Row } from '../nat-grid/rows.ts';
import type { ChainRouter } from '../support/nat-chains.ts';

/** Chains of real routers, which forget after 5 s, and a window of 7 s; `npm run lab:doctor` has many more, with real timers. */
const signal = AbortSignal.timeout(100_000);
const TIMER = 5;
const nat = (more: Partial<ChainRouter> = {}): ChainRouter => ({ kind: 'nat', timer: TIMER, ...more });
const all = nat({ speaks: ['pcp', 'nat-pmp', 'upnp'] });
const plain: ChainRouter = { kind: 'plain' };
const firewall: ChainRouter = { kind: 'firewall', timer: TIMER };

const rows: readonly (Row & { readonly says: string })[] = [
  { name: 'no NAT', chain: [plain], says: '0' },
  { name: 'one that speaks', chain: [all], says: '1' },
  { name: 'two, neither of which speaks', chain: [nat(), nat()], says: '1–2, probably 2 (unproved)' },
  { name: 'two, the outer one says whom it sees', chain: [nat(), all], says: '2' },
  { name: 'a plain router between two', chain: [all, plain, nat({ answersAll: true })], says: '2' },
  { name: 'a firewall between two', chain: [all, firewall, nat({ answersAll: true })], says: '2' },
  {
    name: 'a firewall between two, nobody says whom it sees',
    chain: [all, firewall, nat()],
    says: '2–3, probably 3 (unproved)',
  },
  {
    name: 'one in the middle that remembers for longer',
    chain: [nat(), nat({ timer: 600 }), nat()],
    says: '1–3, probably 2 (unproved)',
  },
  {
    name: 'a carrier with a pool',
    chain: [all, nat({ inside: 'carrier', hasPool: true })],
    says: '1–3, probably 2 (unbounded, unproved)',
  },
];
let found: readonly Examined[];

beforeAll(async () => {
  found = await examineTogether([...rows, ...randomRows(2, 7)], { mode: 'full', windowSeconds: 7, signal });
}, 100_000);

describe('the doctor counts NATs', () => {
  it.each(rows.map(({ name, says }, index) => [name, says, index] as const))(
    '%s: %s',
    (_name, says, index) => {
      expect(verdictOf(reportOf(index))).toBe(says);
    },
  );

  it('and is never wrong', () => {
    expect(found.filter(isWrong)).toEqual([]);
  });

  it('and says which routers they are, and by which address packets leave them', () => {
    const hops = reportOf(5).hops.map(({ lan, wan, stateful, translates }) => [
      lan,
      wan,
      stateful,
      translates,
    ]);
    expect(hops.slice(0, 3)).toEqual([
      ['192.168.100.1', '192.168.101.2', 'yes', 'yes'],
      ['192.168.101.1', '192.168.102.2', 'yes', 'no'],
      ['192.168.102.1', '11.103.5.2', 'yes', 'yes'],
    ]);
  });
});

function reportOf(index: number): NatReport {
  const one = found[index];
  if (one === undefined) throw new Error(`chain ${index} was not examined`);
  return one.report;
}
