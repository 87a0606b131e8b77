import type { Change, Observed, Resource, ResourceKey } from './contract.ts';

/**
 * Desired × observed → ordered changes. Pure: no clock, no I/O; input order never matters.
 *
 *   key            | observed  | desired   | change
 *   peer:alice     | A         | A         | none
 *   peer:bob       | A         | B         | update
 *   peer:carol     |           | A         | create
 *   peer:dave      | A         |           | delete
 *   cert:x.org     | A (renew) | A         | update
 *
 * Deletes come first and in reverse order of `kinds` (content before container), then creates and updates in order.
 */
export function plan<Spec>(
  want: readonly Resource<Spec>[],
  have: readonly Observed<Spec>[],
  kinds: readonly string[],
): Change<Spec>[] {
  const wanted = new Set(want.map((resource) => resource.key));
  const found = new Map(have.map((observed) => [observed.key, observed]));
  const byKind = compareByKind(kinds);
  const deletes = have
    .filter((observed) => !wanted.has(observed.key))
    .sort((a, b) => byKind(b.key, a.key))
    .map((observed): Change<Spec> => ({ op: 'delete', have: observed, why: 'no service needs it' }));
  const writes = [...want]
    .sort((a, b) => byKind(a.key, b.key))
    .flatMap((resource) => write(resource, found.get(resource.key)));
  return [...deletes, ...writes];
}

/** The `why` of an update that the config asks for; its sentence says what is new. */
export const SPEC_DIFFERS = 'spec differs';

function write<Spec>(want: Resource<Spec>, have: Observed<Spec> | undefined): Change<Spec>[] {
  if (have === undefined) return [{ op: 'create', want, why: 'absent' }];
  if (canonical(have.spec) !== canonical(want.spec)) return [{ op: 'update', want, have, why: SPEC_DIFFERS }];
  if (have.renew !== undefined) return [{ op: 'update', want, have, why: have.renew }];
  return [];
}

function compareByKind(kinds: readonly string[]): (a: ResourceKey, b: ResourceKey) => number {
  const rank = (key: ResourceKey): number => kinds.indexOf(kindOf(key));
  return (a, b) => rank(a) - rank(b) || (a < b ? -1 : 1);
}

export function kindOf(key: ResourceKey): string {
  return key.slice(0, key.indexOf(':'));
}

/** JSON with sorted keys: key order must not count as a difference. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
