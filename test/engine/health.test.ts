import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Reach } from '../../src/core/contract.ts';
import { Health } from '../../src/engine/health.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const reach = (reachable: Reach['reachable']): Reach => ({ reachable, vantage: 'tor', detail: 'visited' });

it('looks often while nothing is proved, and rarely once it is', async () => {
  const visits: number[] = [];
  const started = Date.now();
  const health = new Health(Date.now, () => undefined);
  const visit = (): Promise<Reach> => {
    visits.push(Date.now() - started);
    return Promise.resolve(reach(visits.length < 4 ? 'unknown' : 'yes'));
  };
  health.start();
  health.setTargets([{ key: 'shop/tor', visit }]);
  await vi.advanceTimersByTimeAsync(50_000);
  expect(visits.length).toBe(4);
  expect(visits.at(-1)).toBeLessThan(6000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(visits.length).toBe(5);
  await health.stop();
});

it('looks again at once when something changed while a visit was on its way', async () => {
  const health = new Health(Date.now, () => undefined);
  const answers: ((found: Reach) => void)[] = [];
  const target = { key: 'shop/tor', visit: () => new Promise<Reach>((resolve) => answers.push(resolve)) };
  health.start();
  health.setTargets([target]);
  await vi.advanceTimersByTimeAsync(600);
  health.setTargets([{ ...target, isAgain: true }]);
  answers[0]?.(reach('yes'));
  await vi.advanceTimersByTimeAsync(600);
  expect(answers).toHaveLength(2);
  answers[1]?.(reach('no'));
  await vi.advanceTimersByTimeAsync(100);
  expect(health.latest('shop/tor')?.reachable).toBe('no');
  await health.stop();
});

it('says unknown, not no, when the check itself broke', async () => {
  const health = new Health(Date.now, () => undefined);
  health.start();
  health.setTargets([{ key: 'shop/tor', visit: () => Promise.reject(new Error('socket gone')) }]);
  await vi.advanceTimersByTimeAsync(600);
  expect(health.latest('shop/tor')).toMatchObject({ reachable: 'unknown', vantage: 'none' });
  await health.stop();
});

it('tells of changes only, and forgets what is no longer exposed', async () => {
  const told: string[] = [];
  const answers: Reach['reachable'][] = ['yes', 'no', 'no'];
  const health = new Health(Date.now, (key, { reachable }) => told.push(`${key} ${reachable}`));
  health.start();
  const target = { key: 'shop/tor', visit: () => Promise.resolve(reach(answers.shift() ?? 'no')) };
  health.setTargets([target]);
  await vi.advanceTimersByTimeAsync(600);
  health.setTargets([{ ...target, isAgain: true }]);
  await vi.advanceTimersByTimeAsync(5000);
  expect(told).toEqual(['shop/tor yes', 'shop/tor no']);
  health.setTargets([]);
  expect(health.latest('shop/tor')).toBeUndefined();
  await health.stop();
});

it('aborts a visit that hangs when it stops', async () => {
  let isAborted = false;
  const health = new Health(Date.now, () => undefined);
  health.start();
  const visit = (signal: AbortSignal): Promise<Reach> =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        isAborted = true;
        reject(new Error('aborted'));
      });
    });
  health.setTargets([{ key: 'shop/tor', visit }]);
  await vi.advanceTimersByTimeAsync(600);
  await health.stop();
  expect(isAborted).toBe(true);
});

it('visits together what is due soon, and leaves the rest for later', async () => {
  const visited: string[] = [];
  const health = new Health(Date.now, () => undefined);
  const target = (name: string) => ({
    key: `${name}/tor`,
    visit: () => {
      visited.push(name);
      return Promise.resolve(reach('yes'));
    },
  });
  health.start();
  health.setTargets([target('early')]);
  await vi.advanceTimersByTimeAsync(20_000);
  health.setTargets([target('early'), target('late')]);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(visited).toEqual(['early', 'late']);
  health.gather(15_000);
  await vi.advanceTimersByTimeAsync(1000);
  expect(visited).toEqual(['early', 'late', 'early']);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(visited).toEqual(['early', 'late', 'early', 'late']);
  await health.stop();
});
