import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Observed, Resource, ResourceKey } from '../../src/core/contract.ts';
import { plan } from '../../src/core/plan.ts';

/** Not in alphabetical order: a plan that sorts by name alone must fail here. */
const KINDS = ['tunnel', 'peer', 'grant'];

const resource = (key: ResourceKey, spec: unknown = {}): Resource => ({ key, spec, neededBy: [] });
const observed = (key: ResourceKey, spec: unknown = {}, renew?: string): Observed => ({
  key,
  spec,
  facts: {},
  ...(renew === undefined ? {} : { renew }),
});
const brief = (want: Resource[], have: Observed[]): string[] =>
  plan(want, have, KINDS).map(
    (change) => `${change.op} ${change.op === 'delete' ? change.have.key : change.want.key}`,
  );

describe('plan', () => {
  it('follows its decision table', () => {
    const want = [
      resource('peer:alice', 'A'),
      resource('peer:bob', 'B'),
      resource('peer:carol', 'A'),
      resource('peer:x', 'A'),
    ];
    const have = [
      observed('peer:alice', 'A'),
      observed('peer:bob', 'A'),
      observed('peer:dave', 'A'),
      observed('peer:x', 'A', 'expires'),
    ];
    expect(brief(want, have)).toEqual([
      'delete peer:dave',
      'update peer:bob',
      'create peer:carol',
      'update peer:x',
    ]);
  });

  it('makes containers before their content and deletes them after it', () => {
    const keys: ResourceKey[] = ['grant:a', 'peer:a', 'tunnel:a'];
    expect(
      brief(
        keys.map((key) => resource(key)),
        [],
      ),
    ).toEqual(['create tunnel:a', 'create peer:a', 'create grant:a']);
    expect(
      brief(
        [],
        keys.map((key) => observed(key)),
      ),
    ).toEqual(['delete grant:a', 'delete peer:a', 'delete tunnel:a']);
  });

  it('sees no difference in the order of keys', () => {
    expect(
      brief(
        [resource('peer:a', { x: 1, y: { p: 1, q: 2 } })],
        [observed('peer:a', { y: { q: 2, p: 1 }, x: 1 })],
      ),
    ).toEqual([]);
  });

  it('is empty when what is wanted is there, in any order', () => {
    const key = fc
      .tuple(fc.constantFrom(...KINDS), fc.stringMatching(/^[a-z]{1,4}$/))
      .map(([kind, name]): ResourceKey => `${kind}:${name}`);
    const world = fc.uniqueArray(fc.tuple(key, fc.jsonValue()), { selector: ([name]) => name });
    fc.assert(
      fc.property(world, (entries) => {
        const want = entries.map(([name, spec]) => resource(name, spec));
        const have = entries.toReversed().map(([name, spec]) => observed(name, spec));
        expect(brief(want, have)).toEqual([]);
        expect(brief(want, []).length).toBe(entries.length);
        expect(plan(want, [], KINDS)).toEqual(plan(want.toReversed(), [], KINDS));
      }),
    );
  });
});
