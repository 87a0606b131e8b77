/**
 * When a failed pass is tried again. Level, not edge: a pass that is triggered earlier resets nothing and breaks
 * nothing.
 *
 *   failures in a row | wait   | elapsed
 *   1                 |   1 s  |    1 s
 *   2                 |   2 s  |    3 s
 *   3                 |   5 s  |    8 s
 *   4                 |  10 s  |   18 s
 *   5                 |  30 s  |   48 s
 *   6 and more        |  60 s  |
 */
const WAITS_SECONDS = [1, 2, 5, 10, 30, 60] as const;

export function retryAfterMs(failuresInARow: number): number {
  const index = Math.min(Math.max(failuresInARow, 1), WAITS_SECONDS.length) - 1;
  return (WAITS_SECONDS[index] ?? 60) * 1000;
}
