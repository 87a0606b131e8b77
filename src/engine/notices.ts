import type { World } from './reconciler.ts';

/**
 * What the owner should know although it works: any resource says it with the fact `notice`. Shown by status and after
 * `up`; said once, however many resources say it.
 */
export function noticesOf(world: World): string[] {
  const said = [...world.values()].flatMap((observed) => observed.map(({ facts }) => facts['notice']));
  return [...new Set(said.filter((notice) => typeof notice === 'string'))];
}
