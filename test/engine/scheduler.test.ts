import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { retryAfterMs } from '../../src/core/retry.ts';
import { Scheduler, type Outcome } from '../../src/engine/scheduler.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('never runs twice at once, and coalesces what is asked meanwhile', async () => {
  let running = 0;
  let most = 0;
  let runs = 0;
  const scheduler = new Scheduler(async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 100));
    running -= 1;
    runs += 1;
    return 'settled';
  }, 60_000);
  for (let index = 0; index < 5; index += 1) scheduler.trigger();
  await vi.advanceTimersByTimeAsync(1000);
  expect({ most, runs }).toEqual({ most: 1, runs: 2 });
  await scheduler.stop();
});

/** How long it waits after each of these, in milliseconds. */
async function waitsAfter(...outcomes: readonly Outcome[]): Promise<number[]> {
  const at: number[] = [];
  const scheduler = new Scheduler(() => {
    at.push(Date.now());
    return Promise.resolve(outcomes[at.length - 1] ?? 'settled');
  }, 30_000);
  scheduler.trigger();
  await vi.advanceTimersByTimeAsync(200_000);
  await scheduler.stop();
  return outcomes.map((_, index) => (at[index + 1] ?? 0) - (at[index] ?? 0));
}

it('tries again by the retry table after failures, and at its interval after success', async () => {
  expect(await waitsAfter('again', 'again', 'again', 'settled')).toEqual([1000, 2000, 5000, 30_000]);
});

it('waits for the run under way when it stops, and runs nothing after', async () => {
  let runs = 0;
  const scheduler = new Scheduler(async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    runs += 1;
    return 'again';
  }, 10);
  scheduler.trigger();
  const stopped = scheduler.stop();
  await vi.advanceTimersByTimeAsync(50);
  await stopped;
  scheduler.trigger();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(runs).toBe(1);
});

it('has a retry table that grows and ends at a minute', () => {
  const waits = Array.from({ length: 10 }, (_, index) => retryAfterMs(index + 1));
  expect(waits).toEqual([1000, 2000, 5000, 10_000, 30_000, 60_000, 60_000, 60_000, 60_000, 60_000]);
});

it('waits with the first run, unless something triggers one before', async () => {
  let runs = 0;
  const scheduler = new Scheduler(() => {
    runs += 1;
    return Promise.resolve('settled');
  }, 60_000);
  scheduler.triggerIn(10_000);
  await vi.advanceTimersByTimeAsync(9000);
  expect(runs).toBe(0);
  scheduler.trigger();
  await vi.advanceTimersByTimeAsync(5000);
  expect(runs).toBe(1);
  await scheduler.stop();
});

it('waits twice as long while all is steady', async () => {
  expect(await waitsAfter('settled', 'steady', 'steady', 'settled')).toEqual([
    30_000, 60_000, 60_000, 30_000,
  ]);
});
