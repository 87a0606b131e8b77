import { expect, it } from 'vitest';
import type { Change, Context, Observed, Part, Resource } from '../../src/core/contract.ts';
import { networkFor } from '../../src/core/allocate.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { pass, planAll, sentenceOf, servicesOf, type PassWatcher } from '../../src/engine/reconciler.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { createKeys, memoryRegistry } from '../../src/system/keys.ts';
import { unavailablePorts } from '../support/unavailable-ports.ts';

const keys = createKeys({ directory: '/nonexistent', registry: memoryRegistry(), crypto: nodeCrypto });
const context: Context = {
  signal: AbortSignal.timeout(10_000),
  network: networkFor('gw', '10.64.0.0/20'),
  ports: unavailablePorts({ keys, crypto: nodeCrypto }),
};

/** A part over a set of keys; `refuse` names the keys that the world refuses. */
function part(
  id: string,
  kinds: string[],
  log: string[],
  refuse: readonly string[] = [],
): Part & { world: Set<string> } {
  const world = new Set<string>();
  return {
    id,
    kinds,
    world,
    compile: () => ({ resources: [], wants: [], problems: [], ledger: {} }),
    observe: () =>
      Promise.resolve(
        [...world].map((key): Observed => ({ key: key as `${string}:${string}`, spec: {}, facts: {} })),
      ),
    apply: (change: Change) => {
      const key = change.op === 'delete' ? change.have.key : change.want.key;
      if (refuse.includes(key))
        return Promise.reject(new GatewayError(`${key} is refused`, { code: 'CommandFailed' }));
      if (key === 'bug:x') return Promise.reject(new TypeError('a bug'));
      log.push(`${change.op} ${id}/${key}`);
      if (change.op === 'delete') world.delete(key);
      else world.add(key);
      return Promise.resolve();
    },
    describe: (change) => `${change.op} something of ${id}`,
    close: () => Promise.resolve(),
  };
}

const want = (...names: `${string}:${string}`[]): Resource[] =>
  names.map((key) => ({ key, spec: {}, neededBy: ['shop'] }));
const silent: PassWatcher = { applying: () => undefined, applied: () => undefined, failed: () => undefined };

it('makes foundations first and removes them last', async () => {
  const log: string[] = [];
  const ground = part('ground', ['hub', 'link'], log);
  const way = part('way', ['door'], log);
  const wanted = new Map([
    ['ground', want('link:a', 'hub:h')],
    ['way', want('door:a')],
  ]);
  await pass([ground, way], wanted, context, silent);
  expect(log).toEqual(['create ground/hub:h', 'create ground/link:a', 'create way/door:a']);
  log.length = 0;
  await pass([ground, way], new Map(), context, silent);
  expect(log).toEqual(['delete way/door:a', 'delete ground/link:a', 'delete ground/hub:h']);
});

it('goes on past a refused change, says which, and has nothing left to do but that', async () => {
  const log: string[] = [];
  const way = part('way', ['door'], log, ['door:b']);
  const wanted = new Map([['way', want('door:a', 'door:b', 'door:c')]]);
  const told: string[] = [];
  const report = await pass([way], wanted, context, {
    ...silent,
    failed: (failure) => told.push(failure.error.message),
  });
  expect(log).toEqual(['create way/door:a', 'create way/door:c']);
  expect(told).toEqual(['door:b is refused']);
  expect(report.failed.map(servicesOf)).toEqual([['shop']]);
  expect(planAll([way], wanted, report.world).map(sentenceOf)).toEqual(['create something of way']);
});

it('ends loudly on a bug of ours instead of hiding it among refusals', async () => {
  const way = part('way', ['bug', 'door'], []);
  await expect(pass([way], new Map([['way', want('bug:x')]]), context, silent)).rejects.toThrow(TypeError);
});

it('stops between changes when it is cancelled', async () => {
  const abort = new AbortController();
  const way = part('way', ['door'], []);
  const watcher: PassWatcher = { ...silent, applied: () => abort.abort() };
  const wanted = new Map([['way', want('door:a', 'door:b')]]);
  await expect(pass([way], wanted, { ...context, signal: abort.signal }, watcher)).rejects.toThrow();
  expect([...way.world]).toEqual(['door:a']);
});
