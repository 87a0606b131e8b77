import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tri } from '../../src/core/contract.ts';
import {
  CALM_MS,
  decideFallback,
  ENGAGE_MS,
  RELEASE_MS,
  releaseAfterMs,
  type Decision,
  type Outcome,
  type WaySeen,
} from '../../src/core/fallback.ts';

const ORDER = ['clearnet', 'wireguard', 'tor'];
const STEP_MS = 1000;

/** Visits every second; `said` is what each finds, by way. Every outcome, in order. */
function live(order: readonly string[], said: readonly Readonly<Record<string, Tri>>[]): Outcome[] {
  let before: Decision | undefined;
  const since = new Map<string, { reachable: Tri; sinceMs: number }>();
  return said.flatMap((states, index) => {
    const nowMs = index * STEP_MS;
    const seen = Object.entries(states).map(([provider, reachable]): WaySeen => {
      const old = since.get(provider);
      const sinceMs = old?.reachable === reachable ? old.sinceMs : nowMs;
      since.set(provider, { reachable, sinceMs });
      return { provider, reachable, sinceMs, seenMs: nowMs, detail: `${provider} says ${reachable}` };
    });
    const outcome = decideFallback(order, seen, before, nowMs);
    before = outcome?.decision;
    return outcome === undefined ? [] : [outcome];
  });
}

const times = (count: number, states: Readonly<Record<string, Tri>>) =>
  Array.from({ length: count }, () => states);
const moves = (outcomes: readonly Outcome[]): string[] =>
  outcomes.flatMap(({ change, decision }, second) =>
    change === undefined ? [] : [`${second} ${change} ${decision.way}`],
  );

describe('a history', () => {
  it('takes over after three seconds of failure, and goes back after thirty of success', () => {
    const outcomes = live(
      ['clearnet', 'tor'],
      [
        ...times(10, { clearnet: 'yes', tor: 'yes' }),
        ...times(10, { clearnet: 'no', tor: 'yes' }),
        ...times(40, { clearnet: 'yes', tor: 'yes' }),
      ],
    );
    expect(moves(outcomes)).toEqual(['13 engaged tor', '50 released clearnet']);
    expect(outcomes[11]?.advertised).toEqual(['clearnet', 'tor']);
    expect(outcomes[15]).toMatchObject({ isFallback: true, advertised: ['tor'] });
    expect(outcomes[15]?.decision.why).toBe('clearnet: clearnet says no');
    expect(outcomes[25]?.nextLook).toEqual({ provider: 'clearnet', atMs: 50_000 });
  });

  it('never takes "unknown" for failure, and tells a proved way along', () => {
    const outcomes = live(['clearnet', 'tor'], times(600, { clearnet: 'unknown', tor: 'yes' }));
    expect(moves(outcomes)).toEqual([]);
    expect(outcomes.at(-1)).toMatchObject({ isFallback: false, isDark: false });
    expect(outcomes.at(-1)?.advertised).toEqual(['clearnet', 'tor']);
  });

  it('stays where it is while nothing works, and takes the first that does', () => {
    const outcomes = live(ORDER, [
      ...times(5, { clearnet: 'no', wireguard: 'no', tor: 'no' }),
      ...times(5, { clearnet: 'no', wireguard: 'no', tor: 'yes' }),
    ]);
    expect(outcomes[4]).toMatchObject({ isDark: true, isFallback: false });
    expect(moves(outcomes)).toEqual(['5 engaged tor']);
  });

  it('trusts a way that flaps later each time, and again after a calm hour', () => {
    const flap = [
      ...times(5, { clearnet: 'no', tor: 'yes' }),
      ...times(RELEASE_MS / STEP_MS + 1, { clearnet: 'yes', tor: 'yes' }),
    ] as const;
    const flapping = live(
      ['clearnet', 'tor'],
      [...flap, ...flap, ...flap, ...flap].map((states) => ({ ...states })),
    );
    expect(moves(flapping).filter((line) => line.includes('released'))).toHaveLength(1);
    const calm = times(CALM_MS / STEP_MS + 1, { clearnet: 'yes', tor: 'yes' } as const);
    const later = live(['clearnet', 'tor'], [...flap, ...calm, ...flap]);
    expect(moves(later).filter((line) => line.includes('released'))).toHaveLength(2);
  });

  it('uses a way that the owner puts first at once, and tells the one before along until it is proved', () => {
    const before: Decision = { way: 'tor', isFirst: true, sinceMs: 0, why: '', flaps: 0 };
    const tor: WaySeen = { provider: 'tor', reachable: 'yes', sinceMs: 0, seenMs: 9, detail: '' };
    const outcome = decideFallback(['clearnet', 'tor'], [tor], before, 10);
    expect(outcome).toMatchObject({ decision: { way: 'clearnet' }, isFallback: false });
    expect(outcome?.advertised).toEqual(['clearnet', 'tor']);
    expect(outcome?.change).toBeUndefined();
    const shut: WaySeen = {
      provider: 'clearnet',
      reachable: 'no',
      sinceMs: 0,
      seenMs: ENGAGE_MS,
      detail: '',
    };
    const next = decideFallback(['clearnet', 'tor'], [tor, shut], before, 10);
    expect(next).toMatchObject({ decision: { way: 'tor' }, isFallback: true, change: 'engaged' });
  });

  it('leaves a way that is not allowed any more at once, for one that works', () => {
    const before: Decision = { way: 'clearnet', isFirst: false, sinceMs: 0, why: '', flaps: 0 };
    const seen: WaySeen[] = [
      { provider: 'clearnet', reachable: 'yes', sinceMs: 0, seenMs: 9, detail: '' },
      { provider: 'tor', reachable: 'yes', sinceMs: 0, seenMs: 9, detail: '' },
    ];
    const outcome = decideFallback(['wireguard', 'tor'], seen, before, 10);
    expect(outcome).toMatchObject({ decision: { way: 'tor' }, advertised: ['tor'] });
    expect(decideFallback([], seen, before, 10)).toBeUndefined();
  });
});

const tri = fc.constantFrom<Tri>('yes', 'no', 'unknown');
/** Stretches of some seconds in which nothing changes, for three allowed ways and one that is not. */
const history = fc
  .array(
    fc.record({
      seconds: fc.integer({ min: 1, max: 90 }),
      states: fc.record({ clearnet: tri, wireguard: tri, tor: tri, relay: tri }),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((stretches) => stretches.flatMap(({ seconds, states }) => times(seconds, states)));

describe('any history', () => {
  it('never tells a way that is not allowed, and always one that works while there is any', () => {
    fc.assert(
      fc.property(history, (said) => {
        live(ORDER, said).forEach(({ advertised, decision }, second) => {
          const states = said[second] ?? {};
          expect(ORDER).toContain(decision.way);
          expect(advertised.every((way) => ORDER.includes(way))).toBe(true);
          const isAnyOpen = ORDER.some((way) => states[way] === 'yes');
          if (isAnyOpen) expect(advertised.some((way) => states[way] === 'yes')).toBe(true);
        });
      }),
    );
  });

  it('leaves a failing way within seconds while another works', () => {
    fc.assert(
      fc.property(history, (said) => {
        let failing = 0;
        live(ORDER, said).forEach(({ decision }, second) => {
          const states = said[second] ?? {};
          const isAnyOpen = ORDER.some((way) => states[way] === 'yes');
          failing = states[decision.way] === 'no' && isAnyOpen ? failing + 1 : 0;
          expect(failing * STEP_MS).toBeLessThanOrEqual(ENGAGE_MS);
        });
      }),
    );
  });

  it('leaves a way that does not fail only for a better one that held long enough', () => {
    fc.assert(
      fc.property(history, (said) => {
        const outcomes = live(ORDER, said);
        outcomes.forEach(({ decision, change }, second) => {
          const before = outcomes[second - 1]?.decision;
          if (change === undefined || before === undefined || said[second]?.[before.way] === 'no') return;
          expect(change).toBe('released');
          const held = said.slice(second - releaseAfterMs(before.flaps) / STEP_MS, second + 1);
          expect(held.every((states) => states[decision.way] === 'yes')).toBe(true);
        });
      }),
    );
  });

  it('does not swing: what flaps for a day comes back a bounded number of times', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 60 }), fc.integer({ min: 31, max: 400 }), (down, up) => {
        const flap = [
          ...times(down, { clearnet: 'no', tor: 'yes' } as const),
          ...times(up, { clearnet: 'yes', tor: 'yes' } as const),
        ];
        const day = Array.from({ length: Math.ceil(20_000 / flap.length) }, () => flap).flat();
        const back = moves(live(['clearnet', 'tor'], day)).filter((line) => line.includes('released'));
        // Each time it must hold twice as long; it never does for longer than `up`.
        expect(back.length).toBeLessThanOrEqual(Math.floor(Math.log2(up / 30)) + 1);
      }),
      { numRuns: 20 },
    );
  });

  it('decides the same in whatever order the ways are told', () => {
    const seen = fc.record({
      reachable: tri,
      sinceMs: fc.integer({ min: 0, max: 60_000 }),
      lastedMs: fc.integer({ min: 0, max: 90_000 }),
    });
    fc.assert(
      fc.property(fc.tuple(seen, seen, seen), fc.constantFrom(...ORDER), (found, way) => {
        const told = found.map(({ reachable, sinceMs, lastedMs }, index): WaySeen => {
          const provider = ORDER[index] ?? '';
          return { provider, reachable, sinceMs, seenMs: sinceMs + lastedMs, detail: '' };
        });
        const before: Decision = { way, isFirst: false, sinceMs: 0, why: '', flaps: 0 };
        const outcome = decideFallback(ORDER, told, before, 200_000);
        expect(decideFallback(ORDER, told.toReversed(), before, 200_000)).toEqual(outcome);
      }),
    );
  });
});
