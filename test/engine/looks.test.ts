import { expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import type { Context, Observed, Provider } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { observeAll } from '../../src/engine/reconciler.ts';
import { Looks } from '../../src/engine/looks.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { createKeys, memoryRegistry } from '../../src/system/keys.ts';
import { memoryProvider, memoryWorld } from '../support/memory-provider.ts';
import { unavailablePorts } from '../support/unavailable-ports.ts';

const keys = createKeys({ directory: '/nonexistent', registry: memoryRegistry(), crypto: nodeCrypto });
const network = networkFor('gw', '10.64.0.0/20');

const memory = memoryProvider(memoryWorld()) as Provider;

/** A provider that counts how often it observes. */
function counted(answer: () => Promise<readonly Observed[]>) {
  const seen = { times: 0 };
  const provider = {
    ...memory,
    observe: () => {
      seen.times += 1;
      return answer();
    },
  };
  return { provider, seen };
}

const context: Context = {
  signal: AbortSignal.timeout(10_000),
  network,
  ports: unavailablePorts({ keys, crypto: nodeCrypto }),
};

it('lets the visits of one round share a look, and looks anew for the next', async () => {
  let nowMs = 0;
  const looks = new Looks(() => nowMs);
  const { provider, seen } = counted(() => Promise.resolve([]));
  const all = await Promise.all(Array.from({ length: 1000 }, () => looks.of(provider, () => context)));
  expect(new Set(all).size).toBe(1);
  nowMs = 999;
  await looks.of(provider, () => context);
  expect(seen.times).toBe(1);
  nowMs = 1000;
  await looks.of(provider, () => context);
  expect(seen.times).toBe(2);
  looks.forget();
  await looks.of(provider, () => context);
  expect(seen.times).toBe(3);
});

it('does not keep a look that failed', async () => {
  let isBroken = true;
  const looks = new Looks(Date.now);
  const { provider } = counted(() => {
    const error = new GatewayError('the helper is gone', { code: 'HelperUnreachable' });
    return isBroken ? Promise.reject(error) : Promise.resolve([]);
  });
  await expect(looks.of(provider, () => context)).rejects.toThrow('the helper is gone');
  isBroken = false;
  expect(await looks.of(provider, () => context)).toEqual([]);
});

it('asks the helper once for what several parts want to know', async () => {
  let asked = 0;
  const helper: Context['ports']['helper'] = {
    call: () => {
      asked += 1;
      return Promise.reject(new GatewayError('not here', { code: 'HelperUnreachable' }));
    },
  };
  const asking = {
    ...memory,
    observe: async ({ ports, signal }: Context) => {
      await ports.helper.call('observe', { network }, signal);
      return [];
    },
  };
  const parts = [asking, { ...asking, id: 'other' }];
  await expect(observeAll(parts, { ...context, ports: { ...context.ports, helper } })).rejects.toThrow();
  expect(asked).toBe(1);
});
