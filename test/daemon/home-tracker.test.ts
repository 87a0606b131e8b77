import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HomeAddress } from '../../src/core/home.ts';
import { HomeTracker } from '../../src/daemon/home-tracker.ts';
import { at } from '../support/home-address.ts';

function scene() {
  const world = {
    interfaces: [] as HomeAddress[],
    fingerprint: 'eth0',
    stun: [at('stun', '11.2.0.2')] as HomeAddress[],
    router: [] as HomeAddress[],
    isBroken: false,
  };
  const moves: number[] = [];
  const asked: number[] = [];
  const told: string[] = [];
  let changes = 0;
  const tracker = new HomeTracker({
    interfaces: () => world.interfaces,
    fingerprint: () => world.fingerprint,
    askers: {
      stun: () => {
        asked.push(Date.now());
        return world.isBroken ? Promise.reject(new TypeError('no')) : Promise.resolve(world.stun);
      },
      router: () => Promise.resolve(world.router),
    },
    now: Date.now,
    log: () => undefined,
    record: (_type, message) => void told.push(message),
    changed: () => (changes += 1),
    moved: () => void moves.push(Date.now()),
  });
  return { world, asked, told, tracker, moves, changes: () => changes };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('the public address', () => {
  it('is asked for at the start, then once a minute at most, for an hour', async () => {
    const { asked, told, tracker, changes } = scene();
    tracker.start();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(asked.length).toBeGreaterThanOrEqual(58);
    expect(asked.length).toBeLessThanOrEqual(61);
    expect(told).toEqual(['this home is at 11.2.0.2 (stun)']);
    expect(changes()).toBe(1);
    await tracker.stop();
  });

  it('that a relay sees is told to the router until it tells the same, for ten minutes at most', async () => {
    const { moves, tracker, world } = scene();
    Object.assign(world, { stun: [], router: [at('router', '11.2.0.2')] });
    tracker.start();
    tracker.hear(at('relay', '11.2.0.2'));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(moves).toHaveLength(0);
    tracker.hear(at('relay', '11.2.0.9'));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(moves.length).toBeGreaterThan(2);
    world.router = [at('router', '11.2.0.9')];
    await vi.advanceTimersByTimeAsync(60_000);
    moves.length = 0;
    await vi.advanceTimersByTimeAsync(300_000);
    expect(moves).toHaveLength(0);
    // A router behind another one tells its own address for ever.
    tracker.hear(at('relay', '11.2.0.7'));
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(moves.length).toBeLessThanOrEqual(16);
    await tracker.stop();
  });

  it('is asked for at once when something here changes, but never more than once in 5 s', async () => {
    const { asked, told, tracker, world } = scene();
    tracker.start();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(asked).toHaveLength(1);
    Object.assign(world, { fingerprint: 'eth1', stun: [at('stun', '11.2.0.9')] });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(tracker.addresses()).toEqual([at('stun', '11.2.0.9')]);
    expect(told.at(-1)).toBe('this home is at 11.2.0.9 (stun)');
    const before = asked.length;
    for (let flap = 0; flap < 60; flap += 1) {
      world.fingerprint = `flap ${flap}`;
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(asked.length - before).toBeLessThanOrEqual(12);
    await tracker.stop();
  });

  it('is asked of everybody at once when a relay sees us elsewhere, for a little while', async () => {
    const { asked, tracker, world } = scene();
    tracker.hear(at('relay', '11.2.0.2'));
    tracker.start();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(asked).toHaveLength(1);
    world.stun = [at('stun', '11.2.0.9')];
    tracker.hear(at('relay', '11.2.0.9'));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(tracker.addresses()).toEqual([at('relay', '11.2.0.9'), at('stun', '11.2.0.9')]);
    await vi.advanceTimersByTimeAsync(50_000);
    expect(asked.length).toBeLessThanOrEqual(6);
    await tracker.stop();
  });

  it('is kept while nobody answers, for ten minutes', async () => {
    const { tracker, told, world } = scene();
    tracker.start();
    await vi.advanceTimersByTimeAsync(1_000);
    world.isBroken = true;
    await vi.advanceTimersByTimeAsync(9 * 60_000);
    expect(tracker.addresses()).toEqual([at('stun', '11.2.0.2')]);
    await vi.advanceTimersByTimeAsync(2 * 60_000);
    expect(tracker.addresses()).toEqual([]);
    expect(told.at(-1)).toBe('this home is at no address that anybody knows');
    await tracker.stop();
  });

  it('is kept from everybody where they differ, who sees us from farthest outside first', async () => {
    const { tracker, world } = scene();
    world.interfaces = [at('interface', '2001:db9::10')];
    tracker.hear(at('relay', '11.2.0.3'));
    tracker.start();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(tracker.addresses()).toEqual([
      at('relay', '11.2.0.3'),
      at('stun', '11.2.0.2'),
      at('interface', '2001:db9::10'),
    ]);
    await tracker.stop();
  });

  it('is heard in passing, and replaces only what the same one said of the same family', () => {
    const { tracker, told } = scene();
    tracker.hear(at('relay', '11.2.0.3'));
    tracker.hear(at('relay', '2001:db9::3'));
    tracker.hear(at('relay', '11.2.0.4'));
    tracker.hear(at('relay', '11.2.0.4'));
    expect(tracker.addresses()).toEqual([at('relay', '2001:db9::3'), at('relay', '11.2.0.4')]);
    expect(told).toHaveLength(3);
  });
});
