import { expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import type { Change, Context, Observed, Part, Resource } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { narrowPass, touchedBetween } from '../../src/engine/narrow.ts';
import { observeAll, type PassWatcher, type Wanted } from '../../src/engine/reconciler.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { createKeys, memoryRegistry } from '../../src/system/keys.ts';
import { unavailablePorts } from '../support/unavailable-ports.ts';

type Key = `${string}:${string}`;

const keys = createKeys({ directory: '/nonexistent', registry: memoryRegistry(), crypto: nodeCrypto });
const context: Context = {
  signal: AbortSignal.timeout(10_000),
  network: networkFor('gw', '10.64.0.0/20'),
  ports: unavailablePorts({ keys, crypto: nodeCrypto }),
};
const silent: PassWatcher = { applying: () => undefined, applied: () => undefined, failed: () => undefined };

interface Doors {
  readonly part: Part<string>;
  /** What stands, by key. */
  readonly world: Map<Key, string>;
  readonly did: string[];
}

function doors(
  options: { readonly believes?: boolean; readonly refuses?: Key; readonly loses?: Key } = {},
): Doors {
  const world = new Map<Key, string>();
  const did: string[] = [];
  const seen = (): Observed<string>[] => [...world].map(([key, spec]) => ({ key, spec, facts: {} }));
  const part: Part<string> = {
    id: 'doors',
    kinds: ['door'],
    compile: () => ({ resources: [], wants: [], problems: [], ledger: {} }),
    observe: () => {
      did.push('look');
      return Promise.resolve(seen());
    },
    apply: (change: Change<string>) => {
      const { key } = change.op === 'delete' ? change.have : change.want;
      if (key === options.refuses) {
        return Promise.reject(new GatewayError(`${key} is refused`, { code: 'CommandFailed' }));
      }
      did.push(`${change.op} ${key}`);
      if (change.op === 'delete' || key === options.loses) world.delete(key);
      else world.set(key, change.want.spec);
      return Promise.resolve();
    },
    ...(options.believes === true
      ? {
          observeChanged: (changes: readonly Change<string>[]) =>
            changes.flatMap((change) =>
              change.op === 'delete' ? [] : [{ key: change.want.key, spec: change.want.spec, facts: {} }],
            ),
        }
      : {}),
    describe: () => 'a door',
    close: () => Promise.resolve(),
  };
  return { part, world, did };
}

function wanted(specs: Readonly<Record<Key, string>>): Wanted {
  const resources = Object.entries(specs).map(([key, spec]): Resource => ({
    key: key as Key,
    spec,
    neededBy: ['shop'],
  }));
  return new Map([['doors', resources]]);
}

/** Goes from one aim, which was reached, to another. */
async function go({ part, world, did }: Doors, from: Wanted, to: Wanted) {
  for (const { key, spec } of from.get('doors') ?? []) world.set(key, String(spec));
  const parts = [part as Part];
  const before = await observeAll(parts, context);
  did.length = 0;
  const touched = touchedBetween(from, to);
  return narrowPass(parts, { wanted: to, world: before, touched }, context, silent);
}

const BEFORE = wanted({ 'door:a': 'red', 'door:b': 'red', 'door:c': 'red' });
const AFTER = wanted({ 'door:a': 'red', 'door:b': 'blue', 'door:d': 'red' });

it('touches what is new, gone or different, and nothing else', () => {
  expect(touchedBetween(BEFORE, AFTER)).toEqual(
    new Map([['doors', new Set(['door:b', 'door:c', 'door:d'])]]),
  );
  expect(touchedBetween(BEFORE, BEFORE)).toEqual(new Map());
});

it('makes that, without a look where the part can tell what it did', async () => {
  const house = doors({ believes: true });
  const report = await go(house, BEFORE, AFTER);
  expect(house.did).toEqual(['delete door:c', 'update door:b', 'create door:d']);
  expect(report?.world.get('doors')?.map(({ key, spec }) => [key, spec])).toEqual([
    ['door:a', 'red'],
    ['door:b', 'blue'],
    ['door:d', 'red'],
  ]);
});

it('looks once where the part cannot tell', async () => {
  const house = doors();
  const report = await go(house, BEFORE, AFTER);
  expect(house.did).toEqual(['delete door:c', 'update door:b', 'create door:d', 'look']);
  expect(report?.world.get('doors')).toHaveLength(3);
});

it('leaves it to a whole pass when something is refused, or is not there afterwards', async () => {
  expect(await go(doors({ refuses: 'door:d' }), BEFORE, AFTER)).toBeUndefined();
  expect(await go(doors({ loses: 'door:d' }), BEFORE, AFTER)).toBeUndefined();
});
