import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuse } from '../../../src/doctor/nat/fuse.ts';
import type { Seen } from '../../../src/doctor/nat/measurement.ts';
import type { NatReport } from '../../../src/doctor/types.ts';
import { measured, ROUTER, truthOf, type Router } from './chain.ts';

const nat = (more: Partial<Router> = {}): Router => ({ ...ROUTER, ...more });
const plain = (more: Partial<Router> = {}): Router => ({ ...ROUTER, kind: 'plain', ...more });
const firewall = (more: Partial<Router> = {}): Router => ({ ...ROUTER, kind: 'firewall', ...more });

function fused(seen: readonly Seen[]): NatReport {
  return fuse(seen.map((one) => ({ ...one, at: '2026-11-20T00:00:00.000Z' })));
}

/** `2`: exact; `1-2~2`: a range and what is likely; `1+~1`: nothing bounds it. Then the doubts. */
function told({ count }: NatReport): string {
  const { min, max, exact, likely, doubts } = count;
  if (exact) return String(min);
  return `${max === null ? `${min}+` : `${min}-${max}`}~${likely} ${doubts.join(' ')}`;
}

const UPNP = { speaks: ['upnp'] } as const;
const PCP = { speaks: ['pcp'] } as const;

describe('a count of NATs', () => {
  it.each<readonly [string, string, readonly Router[], number | undefined]>([
    ['no NAT at all', '0', [plain(), plain()], undefined],
    ['one, with all that a full examination sees', '1', [nat(), plain()], 36],
    ['one, and a quick look', '1-1~1 state', [nat(), plain()], undefined],
    ['one that is not written down', '1-1~1 addresses', [nat({ writesRoute: false }), plain()], 36],
    ['one that remembers for longer', '1-1~1 disagree', [nat({ timer: 150 }), plain()], 36],
    ['one that remembers for longer, examined deeply', '1', [nat({ timer: 150 }), plain()], 156],
    ['two, neither of which speaks', '1-2~2 unproved', [nat(), nat(), plain()], 36],
    ['two, of which the inner one speaks', '2', [nat(UPNP), nat(), plain()], 36],
    ['two, of which the outer one says whom it sees', '2', [nat(), nat(PCP), plain()], 36],
    ['three, of which the outer two speak', '3', [nat(UPNP), nat(), nat(PCP), plain()], 36],
    ['a plain router before one that says whom it sees', '1', [plain(), nat(PCP), plain()], 36],
    ['a firewall before one that says whom it sees', '1', [firewall(), nat(PCP), plain()], 36],
    ['a firewall that nobody tells from a NAT', '1-2~2 unproved', [firewall(), nat(), plain()], 36],
    ['three', '3', [nat(UPNP), nat(UPNP), nat(), plain()], 36],
    [
      'a NAT in the middle that remembers for longer',
      '1-3~2 unproved',
      [nat(), nat({ timer: 150 }), nat()],
      36,
    ],
    ['a pool at the carrier', '2-3~2 unbounded unproved', [nat(UPNP), nat({ hasPool: true }), plain()], 36],
    [
      'packets that die do not refresh',
      '2-2~2 unsteady',
      [nat(UPNP), nat({ countsDying: false }), plain()],
      36,
    ],
    [
      'packets from outside do not refresh',
      '2-2~2 unsteady',
      [nat(UPNP), nat({ countsIncoming: false }), plain()],
      36,
    ],
    ['its ports move when it forgot', '2', [nat({ movesPorts: true }), nat(), plain()], 36],
    ['a firewall of the provider', '1-2~1 unproved disagree', [nat(), firewall(), plain()], 36],
  ])('%s', (_name, expected, chain, windowSeconds) => {
    const report = fused(measured(chain, windowSeconds));
    expect(told(report)).toBe(expected);
  });

  it('is not exact where something that refuses is all that ends it', () => {
    const chain = [nat({ ...UPNP, refuses: true }), plain(), nat({ hasPool: true, timer: 100 })];
    const weak = measured(chain, 36).filter(
      ({ method }) => !['record-route', 'public-echo', 'opener'].includes(method),
    );
    expect(told(fused(weak))).toBe('1-1~1 addresses');
  });

  const router = fc.record<Router>({
    kind: fc.constantFrom('nat', 'nat', 'plain', 'firewall'),
    timer: fc.constantFrom(10, 30, 30, 30, 100, 150, 600),
    countsDying: fc.constantFrom(true, true, true, false),
    countsIncoming: fc.constantFrom(true, true, true, false),
    movesPorts: fc.boolean(),
    writesRoute: fc.constantFrom(true, true, true, false),
    speaks: fc.subarray(['pcp', 'nat-pmp', 'upnp'] as const),
    hasPool: fc.constantFrom(false, false, false, true),
    refuses: fc.constantFrom(false, false, false, false, true),
    lies: fc.constantFrom(false, false, true),
  });
  const chains = fc.array(router, { maxLength: 6 });
  /** What is left out of all that could be seen. */
  const partial = fc
    .tuple(
      chains,
      fc.constantFrom(undefined, 36, 156),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
    )
    .chain(([chain, windowSeconds, dice]) =>
      fc.constantFrom(0, 0, 0.1, 0.4).map((loss) => ({
        chain,
        windowSeconds,
        seen: measured(chain, windowSeconds).filter(() => (dice.next().value ?? 1) >= loss),
      })),
    );

  it('is never exact and wrong, and its range holds the truth, whatever is missing', () => {
    let [exact, all] = [0, 0];
    fc.assert(
      fc.property(partial, ({ chain, seen }) => {
        const { count } = fused(seen);
        const truth = truthOf(chain);
        all += 1;
        exact += count.exact ? 1 : 0;
        if (count.exact) expect(count.min).toBe(truth);
        expect(count.min).toBeLessThanOrEqual(truth);
        if (!chain.some(({ refuses }) => refuses)) expect(count.max ?? 99).toBeGreaterThanOrEqual(truth);
        expect(count.likely).toBeGreaterThanOrEqual(count.min);
        expect(count.likely).toBeLessThanOrEqual(count.max ?? 99);
      }),
      { numRuns: Number(process.env['GATEWAY_NAT_RUNS'] ?? 2000) },
    );
    // Else the doctor would be honest, and of no use.
    expect(exact / all).toBeGreaterThan(0.1);
  });
});
