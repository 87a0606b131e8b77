import { describe, expect, it } from 'vitest';
import { judgeVisit, type Remedy, type Visit } from '../../src/core/mapping-doubt.ts';
import { begin, given, lost, type PortState } from '../../src/core/mapping-lease.ts';
import { reportOf } from '../../src/core/mapping-report.ts';
import type { Lease } from '../../src/core/mapping.ts';

const SPEC = { transport: 'udp', port: 51_820, externalPort: 51_820 } as const;
const HOUR = 3_600_000;
const leaseAt = (externalPort: number): Lease => ({
  protocol: 'upnp',
  router: '192.168.1.1',
  transport: 'udp',
  internalAddress: '192.168.1.2',
  internalPort: 51_820,
  externalPort,
  externalAddress: '11.2.0.2',
  lifetimeSeconds: 0,
  nonce: '',
  description: '',
  mark: {},
});
const START = given(begin(SPEC, '', 0), leaseAt(51_820), 0, 0);
const visitAt = (beganAt: number, more: Partial<Visit> = {}): Visit => ({
  port: SPEC,
  reachable: 'no',
  externalPort: 51_820,
  beganAt,
  detail: 'silence',
  mayMove: true,
  ...more,
});

/** Visits twice a minute for `hours`, none of which gets in; the router does whatever it is asked for. */
function suffer(state: PortState, hours: number, more: Partial<Visit> = {}) {
  const remedies: { readonly remedy: Remedy; readonly hour: number; readonly port: number }[] = [];
  for (let now = 30_000; now < hours * HOUR; now += 30_000) {
    const externalPort = state.held?.lease.externalPort ?? 0;
    const judged = judgeVisit(state, visitAt(now - 1000, { externalPort, ...more }), now);
    state = judged.state;
    if (judged.remedy === undefined) continue;
    const wish = { again: externalPort, elsewhere: externalPort + 1, back: state.doubt?.firstPort ?? 0 };
    const port = wish[judged.remedy];
    remedies.push({ remedy: judged.remedy, hour: now / HOUR, port });
    state = given(lost(state, now), leaseAt(port), now, 0);
  }
  return { state, remedies };
}

describe('a mapping that lets nobody in', () => {
  it('is asked for again, at two other ports, and then left where it was for an hour', () => {
    const { state, remedies } = suffer(START, 1);
    expect(remedies.map(({ remedy, port }) => [remedy, port])).toEqual([
      ['again', 51_820],
      ['elsewhere', 51_821],
      ['elsewhere', 51_822],
      ['back', 51_820],
    ]);
    expect(reportOf(state)).toMatchObject({
      problem: expect.stringContaining('visitors do not get in: silence'),
      hint: expect.stringContaining('firewall on this machine'),
    });
  });

  it('is tried at most a few times a day however long it lasts', () => {
    const { remedies } = suffer(START, 24 * 14);
    const lastDay = remedies.filter(({ hour }) => hour > 24 * 13);
    expect(lastDay.length).toBeLessThanOrEqual(8);
    expect(remedies.filter(({ hour }) => hour > 1 && hour < 24).length).toBeLessThanOrEqual(16);
  });

  it('keeps its port where the owner told it to the world', () => {
    const { remedies } = suffer(START, 24, { mayMove: false });
    expect(new Set(remedies.map(({ remedy }) => remedy))).toEqual(new Set(['again']));
    expect(remedies.length).toBeLessThan(7);
  });
});

describe('a visit that says nothing of the mapping', () => {
  it.each([
    ['nobody could look', visitAt(60_000, { reachable: 'unknown' })],
    ['it set out before the mapping was made', visitAt(0)],
    ['it dialled another port', visitAt(60_000, { externalPort: 443 })],
  ])('changes nothing: %s', (_why, visit) => {
    expect(judgeVisit(START, visit, 61_000)).toEqual({ state: START });
  });

  it('changes nothing without a mapping', () => {
    const state = lost(START, 1000);
    expect(judgeVisit(state, visitAt(60_000), 61_000)).toEqual({ state });
  });
});

it('is over with the first visitor that gets in; a device that does knows the new port', () => {
  const { state } = suffer(START, 0.02);
  expect(reportOf(state).problem).not.toBeNull();
  const moved = { ...given(lost(state, 80_000), leaseAt(51_999), 80_000, 0), told: 51_820 };
  const relay = judgeVisit(moved, visitAt(90_000, { reachable: 'yes' }), 91_000);
  expect(relay.isHealed).toBe(true);
  expect(reportOf(relay.state).problem).toContain('no longer at 51820');
  const device = judgeVisit(relay.state, visitAt(95_000, { reachable: 'yes', isDevice: true }), 96_000);
  expect(reportOf(device.state).problem).toBeNull();
});
