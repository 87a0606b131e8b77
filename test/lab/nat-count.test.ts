import { beforeAll, describe, expect, it } from 'vitest';
import type { NatReport } from '../../src/doctor/types.ts';
import { NODE_INSIDE, parseTopology, startLab } from '../../src/lab/index.ts';
import { examineTogether, isWrong, verdictOf, type Examined } from '../nat-grid/examine.ts';
import { randomRows } from '../nat-grid/random.ts';
import type { Row } from '../nat-grid/rows.ts';
import type { ChainRouter, NatHome, NatLooked } from '../support/nat-chains.ts';

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
  {
    name: 'two, the outer one says whom it sees, and no relay',
    chain: [nat(), all],
    isWithoutRelay: true,
    says: '2, probably 2 (state)',
  },
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
let silent: NatLooked;

beforeAll(async () => {
  const window = { mode: 'full', windowSeconds: 7, signal } as const;
  [found, silent] = await Promise.all([
    examineTogether([...rows, ...randomRows(2, 7)], window),
    lookIntoSilence(),
  ]);
}, 100_000);

/** A home whose router answers nothing at all, on a machine without ping. */
async function lookIntoSilence(): Promise<NatLooked> {
  const topology = parseTopology(
    {
      nodes: { home: { defaultRoute: '192.168.50.1' }, router: {} },
      networks: { lan: { home: '192.168.50.10/24', router: '192.168.50.1/24' } },
    },
    'a silent router',
  );
  await using lab = await startLab(topology, { signal });
  const input =
    'add table ip silent\nadd chain ip silent in { type filter hook input priority 0; policy drop; }\n';
  await lab.node('router').run(['nft', '-f', '-'], { signal, input });
  const relay = { address: '11.1.0.2:7443', fingerprint: 'A'.repeat(43) };
  const secrets = { home: '0'.repeat(16), secret: 'A'.repeat(43) };
  const told: NatHome = { relay, ...secrets, stun: ['11.1.0.2:3478', 'stun.lab.test:3478'], mode: 'quick' };
  const program = [NODE_INSIDE, '/opt/gateway/test/support/nat-home-main.ts', JSON.stringify(told)] as const;
  const ran = await lab.node('home').run(['env', 'PATH=/nowhere', ...program], { signal, timeoutMs: 60_000 });
  return JSON.parse(ran.stdout) as NatLooked;
}

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
    const hops = reportOf(6).hops.map(({ lan, wan, stateful, translates }) => [
      lan,
      wan,
      stateful,
      translates,
    ]);
    expect(hops.slice(0, 3)).toEqual([
      ['192.168.100.1', '192.168.101.2', 'yes', 'yes'],
      ['192.168.101.1', '192.168.102.2', 'yes', 'no'],
      ['192.168.102.1', '11.103.6.2', 'yes', 'yes'],
    ]);
  });
});

it('ends in time and claims nothing where nobody answers', () => {
  const { report } = silent;
  expect(silent.seconds).toBeLessThan(8);
  expect(report.count).toMatchObject({ min: 0, max: null, exact: false, likely: 0 });
  expect(report.count.doubts).toEqual(expect.arrayContaining(['outside', 'state']));
  const why = report.evidence
    .filter(({ method }) => method === 'missing')
    .map(({ raw }) => JSON.stringify(raw));
  expect(why.join(' ')).toMatch(/ping cannot be used here/);
});

function reportOf(index: number): NatReport {
  const one = found[index];
  if (one === undefined) throw new Error(`chain ${index} was not examined`);
  return one.report;
}
