import type { Reach } from '../core/contract.ts';
import type { Recorder } from '../core/events.ts';
import type { World } from './reconciler.ts';

/**
 * What the owner should know although it works: any resource says it with the fact `notice`. Shown by status and after
 * `up`; said once, however many resources say it.
 */
export function noticesOf(world: World): string[] {
  const said = [...world.values()].flatMap((observed) => observed.map(({ facts }) => facts['notice']));
  return [...new Set(said.filter((notice) => typeof notice === 'string'))];
}

/** Does a resource say of itself that something is not as it should be? Then it is looked at again soon. */
export function isTroubled(world: World): boolean {
  const words = ['notice', 'trouble', 'silence'];
  return [...world.values()].some((observed) =>
    observed.some(({ facts }) => words.some((word) => facts[word] !== undefined)),
  );
}

/** `key` is `service/provider`. */
export function tellsReach(record: Recorder): (key: string, reach: Reach) => void {
  return (key, { reachable, vantage, detail }) =>
    record('condition.changed', `${key}: reachable ${reachable}: ${detail}`, {
      exposure: key,
      condition: 'Reachable',
      status: reachable,
      vantage,
    });
}
