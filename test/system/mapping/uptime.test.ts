import { expect, it } from 'vitest';
import { Uptime } from '../../../src/system/mapping/uptime.ts';

/** Seconds that the router said, each a minute after the one before. */
const each = (...said: readonly (number | undefined)[]): (number | undefined)[] => {
  const uptime = new Uptime();
  return said.map((seconds, minute) => uptime.take(seconds, minute * 60_000));
};

it('believes a clock that runs, so that a restart shows', () => {
  expect(each(1000, 1060, 1121, 3)).toEqual([undefined, 1060, 1121, 3]);
});

it('does not believe one that stands, or jumps: no restart is made of it', () => {
  expect(each(0, 0, 0)).toEqual([undefined, undefined, undefined]);
  expect(each(5, 5000, 7)).toEqual([undefined, undefined, undefined]);
  expect(each(undefined, 60)).toEqual([undefined, undefined]);
});

it('waits until enough time passed to tell', () => {
  const uptime = new Uptime();
  expect([uptime.take(100, 0), uptime.take(101, 1000), uptime.take(120, 20_000)]).toEqual([
    undefined,
    undefined,
    120,
  ]);
});
