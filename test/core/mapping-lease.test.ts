import { describe, expect, it } from 'vitest';
import type { Lease, LeaseCheck } from '../../src/core/mapping.ts';
import {
  begin,
  given,
  looked,
  overheard,
  lost,
  nextStep,
  refused,
  unseen,
  type PortState,
} from '../../src/core/mapping-lease.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const SPEC = { transport: 'udp', port: 51_820, externalPort: 51_820 } as const;
const NONCE = '0102030405060708090a0b0c';

function lease(change: Partial<Lease> = {}): Lease {
  return {
    protocol: 'pcp',
    router: '192.168.1.1',
    transport: 'udp',
    internalAddress: '192.168.1.2',
    internalPort: 51_820,
    externalPort: 51_820,
    externalAddress: '11.2.0.2',
    lifetimeSeconds: 3600,
    nonce: NONCE,
    description: 'gateway test',
    mark: { epochSeconds: 1000 },
    ...change,
  };
}

const held = (change: Partial<Lease> = {}, random = 0.5): PortState =>
  given(begin(SPEC, NONCE, 0), lease(change), 0, random);
const SILENT = { refusal: 'silent', message: 'nobody answers' } as const;

/** What follows a look of `afterSeconds` after the lease was given. */
function look(said: LeaseCheck, afterSeconds = 60, change: Partial<Lease> = {}) {
  const now = afterSeconds * SECOND;
  const { state, why } = looked(held(change), said, now);
  return { isHeld: state.held !== undefined, isAskedNow: nextStep(state).at <= now, why };
}

describe('a lease', () => {
  it('is asked for at once, and renewed at a random point from 1/2 to 5/8', () => {
    expect(nextStep(begin(SPEC, NONCE, 7))).toEqual({ action: 'ask', at: 7 });
    expect(held({}, 0).askAt).toBe(HOUR / 2);
    expect(held({}, 1).askAt).toBe((HOUR * 5) / 8);
  });

  it.each([
    [1, 15],
    [120, 60],
    [3600, 1800],
    [604_800, 3600],
    [2 ** 32 - 1, 3600],
  ])('of %i s is renewed after %i s at the earliest', (lifetimeSeconds, seconds) => {
    expect(held({ lifetimeSeconds }, 0).askAt).toBe(seconds * SECOND);
  });

  it('that lasts until it is deleted (725, 402) never ends, and is said again each hour', () => {
    const state = held({ lifetimeSeconds: 0 });
    expect(state.held?.expiresAt).toBeUndefined();
    expect(state.askAt).toBe(HOUR);
  });

  it.each([
    ['pcp', 60, 60],
    ['nat-pmp', 60, 60],
    ['upnp', 60, 120],
  ] as const)('by %s is looked at after %i s, then each %i s', (protocol, first, then) => {
    const state = held({ protocol, mark: {} });
    expect(state.checkAt).toBe(first * SECOND);
    expect(looked(state, { mark: {}, isThere: true }, first * SECOND).state.checkAt).toBe(
      (first + then) * SECOND,
    );
  });

  it('that is not renewed is tried again, ever closer to its end, and ends', () => {
    let state = held();
    const asked: number[] = [];
    for (let step = nextStep(state); step.action !== 'end'; step = nextStep(state)) {
      if (step.action === 'check') state = unseen(state, step.at);
      else {
        asked.push(step.at / SECOND);
        state = refused(state, SILENT, step.at);
      }
    }
    expect(nextStep(state)).toEqual({ action: 'end', at: HOUR });
    expect(asked.at(-1)).toBeGreaterThan(3590);
    expect(state.trouble).toEqual(SILENT);
    expect(lost(state, HOUR)).toMatchObject({ held: undefined, askAt: HOUR, last: { externalPort: 51_820 } });
  });

  it('is tried for seconds at first, then each five minutes', () => {
    let state = begin(SPEC, NONCE, 0);
    const asked: number[] = [];
    while (asked.length < 40) {
      asked.push(state.askAt / SECOND);
      state = refused(state, SILENT, state.askAt);
    }
    const waits = asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
    expect(waits.slice(0, 4)).toEqual([1, 2, 5, 10]);
    // A router that takes two minutes to start is found within a quarter of a minute.
    expect(Math.max(...waits.filter((_, index) => (asked[index] ?? 0) < 110))).toBeLessThanOrEqual(15);
    expect(waits.slice(-20)).toEqual(Array.from({ length: 20 }, () => 300));
  });
});

/** doctor: "UPnP works at first, then stops", and its causes. */
describe('a look at the router', () => {
  it.each<[string, LeaseCheck]>([
    ['an epoch that began anew (RFC 6886 3.7)', { mark: { epochSeconds: 3 } }],
    ['an epoch that went back by two seconds', { mark: { epochSeconds: 998 } }],
    ['an epoch that stood still (RFC 6887 8.5)', { mark: { epochSeconds: 1000 } }],
    ['an epoch that ran too fast', { mark: { epochSeconds: 1100 } }],
    ['another boot id', { mark: { epochSeconds: 1060, bootId: 'two' } }],
    ['an entry that is gone, or leads to another machine', { mark: { epochSeconds: 1060 }, isThere: false }],
  ])('%s: the lease is lost, and asked for at once', (_, said) => {
    expect(look(said, 60, { mark: { epochSeconds: 1000, bootId: 'one' } })).toEqual({
      isHeld: false,
      isAskedNow: true,
      why: expect.any(String),
    });
  });

  it('a start that was announced is remembered over a renewal whose answer does not say it', () => {
    const announced = looked(held({ mark: {} }), { mark: { bootId: 'one' } }, 60 * SECOND).state;
    const { lease } = announced.held ?? {};
    expect(lease).toBeDefined();
    const renewed = given(announced, lease!, 1800 * SECOND, 0);
    expect(looked(renewed, { mark: { bootId: 'one' } }, 1801 * SECOND).why).toBeUndefined();
    expect(looked(renewed, { mark: { bootId: 'two' } }, 1801 * SECOND).why).toBe('the router restarted');
  });

  it('an announcement puts no look off: some routers make one each half minute, whatever they list', () => {
    const state = held({ mark: { bootId: 'one' } });
    const said = { mark: { bootId: 'one' } };
    expect(overheard(state, said, 50 * SECOND).state.checkAt).toBe(state.checkAt);
    expect(looked(state, said, 50 * SECOND).state.checkAt).toBeGreaterThan(state.checkAt!);
    const restarted = overheard(state, { mark: { bootId: 'two' } }, 50 * SECOND);
    expect(restarted).toMatchObject({ why: 'the router restarted', state: { held: undefined } });
  });

  it('the first start that is announced is a reason to look: it may be one that was missed', () => {
    const said = { mark: { bootId: 'two' } };
    const { state } = overheard(held({ mark: { epochSeconds: 1000 } }), said, 50 * SECOND);
    expect(state.checkAt).toBe(50 * SECOND);
    const seen = given(begin(SPEC, NONCE, 0), { ...state.held!.lease, mark: said.mark }, 0, 0);
    expect(overheard(seen, said, 50 * SECOND).state.checkAt).toBe(seen.checkAt);
  });

  it.each([1060, 1061, 1059, 1057, 1064])('an epoch of %i after a minute is in order', (epochSeconds) => {
    expect(look({ mark: { epochSeconds } })).toEqual({ isHeld: true, isAskedNow: false, why: undefined });
  });

  it('a clock of the router that is a little slow is forgiven for ever, look after look', () => {
    let state = held();
    for (let minute = 1; minute < 30; minute += 1) {
      const epochSeconds = 1000 + Math.floor(minute * 60 * 0.97);
      state = looked(state, { mark: { epochSeconds } }, minute * 60 * SECOND).state;
    }
    expect(state.held).toBeDefined();
  });

  it('another address outside: it is asked where we are, and nothing is given up', () => {
    const said = { mark: { epochSeconds: 1060 }, externalAddress: '11.9.9.9' };
    expect(look(said)).toEqual({ isHeld: true, isAskedNow: true, why: expect.stringContaining('11.9.9.9') });
    // A router that tells no address with the lease is not asked each minute.
    const { externalAddress: _, ...silent } = lease();
    expect(looked(given(begin(SPEC, NONCE, 0), silent, 0, 0), said, 60 * SECOND).why).toBeUndefined();
  });

  it('a lease that a repeat did not extend (miniupnp 199) is asked for again', () => {
    expect(look({ mark: {}, lifetimeSeconds: 100 })).toMatchObject({ isHeld: true, isAskedNow: true });
    expect(look({ mark: {}, lifetimeSeconds: 3540 })).toMatchObject({ isHeld: true, isAskedNow: false });
  });

  it('a router that is silent keeps its lease, and is looked at again soon', () => {
    const state = unseen(held(), 60 * SECOND);
    expect(state.held).toBeDefined();
    expect(nextStep(state)).toEqual({ action: 'check', at: 70 * SECOND });
  });

  it('an announcement makes who waits ask at once', () => {
    const waiting = refused(refused(begin(SPEC, NONCE, 0), SILENT, 0), SILENT, 0);
    expect(nextStep(looked(waiting, { mark: { epochSeconds: 1 } }, 500).state).at).toBe(500);
  });
});

/** A router that restarts each night, and whose line gives it another address now and then. */
function simulate(days: number) {
  const end = days * 24 * HOUR;
  let bootAt = -1000 * SECOND;
  let mapped: { until: number } | undefined;
  let address = 1;
  let questions = 0;
  let unmappedMs = 0;
  let worstPerMinute = 0;
  let minute = { of: -1, count: 0 };
  let state = begin(SPEC, NONCE, 0);
  let now = 0;
  const epoch = (): number => Math.floor((now - bootAt) / SECOND);
  const isAway = (): boolean => now % (24 * HOUR) < 60 * SECOND && now > HOUR;
  const ask = (): PortState => {
    if (isAway()) return refused(state, SILENT, now);
    mapped = { until: now + 3600 * SECOND };
    const fresh = lease({ mark: { epochSeconds: epoch() }, externalAddress: `11.2.0.${address}` });
    return given(state, fresh, now, ((now / SECOND) % 97) / 97);
  };
  const check = (): PortState => {
    if (isAway()) return unseen(state, now);
    return looked(state, { mark: { epochSeconds: epoch() } }, now).state;
  };
  while (now < end) {
    const step = nextStep(state);
    const at = Math.max(step.at, now);
    // What the router does meanwhile: it restarts at midnight, and its line has another address each week.
    const midnight = Math.floor(at / (24 * HOUR)) * 24 * HOUR;
    const wasMapped = mapped !== undefined && mapped.until > now;
    if (midnight > bootAt && midnight > 0) {
      bootAt = midnight;
      mapped = undefined;
      if ((midnight / (24 * HOUR)) % 7 === 0) address = (address % 200) + 1;
    }
    if (!wasMapped && now > 0) unmappedMs += at - now;
    now = at;
    questions += 1;
    const thisMinute = Math.floor(now / 60_000);
    minute =
      thisMinute === minute.of ? { of: thisMinute, count: minute.count + 1 } : { of: thisMinute, count: 1 };
    worstPerMinute = Math.max(worstPerMinute, minute.count);
    if (step.action === 'end') state = lost(state, now);
    else state = step.action === 'ask' ? ask() : check();
  }
  return { perDay: questions / days, unmappedPerDay: unmappedMs / SECOND / days, worstPerMinute };
}

describe('a year of leases', () => {
  it('with a router that restarts each night: mapped again within seconds, and few questions', () => {
    const { perDay, unmappedPerDay, worstPerMinute } = simulate(365);
    // The router is away for 60 s; the rest is what we need to notice that it is back.
    expect(unmappedPerDay).toBeLessThan(60 + 20);
    // One look a minute and two renewals an hour; timers that doubled would show here.
    expect(perDay).toBeLessThan(24 * 60 + 100);
    expect(worstPerMinute).toBeLessThan(15);
  });

  it('with a router that never forgets: never without a lease', () => {
    let state = begin(SPEC, NONCE, 0);
    let [now, questions, until] = [0, 0, 0];
    const end = 365 * 24 * HOUR;
    while (now < end) {
      const { action, at } = nextStep(state);
      if (action === 'end') throw new Error('the lease ended');
      now = at;
      questions += 1;
      if (until > 0 && now >= until) throw new Error(`the lease ended at ${until}`);
      const mark = { epochSeconds: 1000 + Math.floor(now / SECOND) };
      if (action === 'ask') {
        // Each third renewal gets lost.
        const isLost = questions % 3 === 0 && until > 0;
        if (!isLost) until = now + HOUR;
        state = isLost
          ? refused(state, SILENT, now)
          : given(state, lease({ mark }), now, (questions % 10) / 10);
      } else state = looked(state, { mark }, now).state;
    }
    expect(questions / (365 * 24)).toBeLessThan(65);
  });
});
