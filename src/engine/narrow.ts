import type { Change, Context, Observed, Part, Resource, ResourceKey } from '../core/contract.ts';
import {
  applyAll,
  planAll,
  type PassReport,
  type PassWatcher,
  type Wanted,
  type World,
} from './reconciler.ts';

/** Keys of what is new, gone or different between two aims, by part id. */
export type Touched = ReadonlyMap<string, ReadonlySet<ResourceKey>>;

/** A difference too many only costs time; both come from the same compiler, which writes equal specs alike. */
export function touchedBetween(before: Wanted, after: Wanted): Touched {
  const touched = new Map<string, ReadonlySet<ResourceKey>>();
  for (const id of new Set([...before.keys(), ...after.keys()])) {
    const old = new Map((before.get(id) ?? []).map(({ key, spec }) => [key, JSON.stringify(spec)]));
    const keys = new Set<ResourceKey>();
    for (const { key, spec } of after.get(id) ?? []) {
      if (old.get(key) !== JSON.stringify(spec)) keys.add(key);
      old.delete(key);
    }
    for (const key of old.keys()) keys.add(key);
    if (keys.size > 0) touched.set(id, keys);
  }
  return touched;
}

/** What a narrow pass begins with. */
export interface Narrow {
  readonly wanted: Wanted;
  /** As the last pass left it. */
  readonly world: World;
  readonly touched: Touched;
}

/**
 * A pass for what a command changed, and nothing else: what it costs does not grow with what stays. It begins with what the
 * last pass saw of that, which may be out of date, so each change must hold whatever is there (`apply` is idempotent).
 * `undefined`: something failed, or is not as it should be; then everything must be looked at. The next pass does in any case.
 */
export async function narrowPass(
  parts: readonly Part[],
  { wanted, world, touched }: Narrow,
  context: Context,
  watcher: PassWatcher,
): Promise<PassReport | undefined> {
  const mine = narrowed(wanted, touched);
  const changes = planAll(parts, mine, narrowed(world, touched));
  const failed = await applyAll(changes, context, watcher);
  if (failed.length > 0) return undefined;
  const after = new Map(world);
  for (const part of parts) {
    const own = changes.filter((change) => change.part === part).map(({ change }) => change);
    if (own.length > 0) after.set(part.id, await lookAt(part, own, world.get(part.id) ?? [], context));
  }
  const left = planAll(parts, mine, narrowed(after, touched));
  return left.length > 0 ? undefined : { changes, failed, world: after };
}

/** All that there is of a part, of which only these changes may be news. */
async function lookAt(
  part: Part,
  changes: readonly Change[],
  before: readonly Observed[],
  context: Context,
): Promise<readonly Observed[]> {
  const seen = part.observeChanged?.(changes, context);
  if (seen === undefined) return part.observe(context);
  const keys = new Set(changes.map((change) => (change.op === 'delete' ? change.have : change.want).key));
  return [...before.filter(({ key }) => !keys.has(key)), ...seen];
}

function narrowed<Item extends Resource | Observed>(
  all: ReadonlyMap<string, readonly Item[]>,
  touched: Touched,
): ReadonlyMap<string, readonly Item[]> {
  return new Map(
    [...touched].map(([id, keys]) => [id, (all.get(id) ?? []).filter(({ key }) => keys.has(key))]),
  );
}
