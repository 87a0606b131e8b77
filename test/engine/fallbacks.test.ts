import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Ledger, Reach } from '../../src/core/contract.ts';
import { Fallbacks } from '../../src/engine/fallbacks.ts';
import { Health } from '../../src/engine/health.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const desired = { orders: new Map([['shop', ['clearnet', 'tor']]]) };

/** Health and fallback as the engine wires them, with ways that answer as they are told. */
class Home {
  readonly told: string[] = [];
  readonly reaches: Record<string, Reach['reachable']> = { clearnet: 'yes', tor: 'yes' };
  slice: Ledger = {};
  health!: Health;
  fallbacks!: Fallbacks;

  start(): void {
    this.health = new Health(
      Date.now,
      () => undefined,
      (key) => this.fallbacks.visited(key, desired),
    );
    this.fallbacks = new Fallbacks({
      now: Date.now,
      seen: (key) => this.health.seen(key),
      lookBy: (key, atMs) => this.health.lookBy(key, atMs),
      record: (type, message) => this.told.push(`${type}: ${message}`),
      memory: { read: () => this.slice, write: (slice) => void (this.slice = slice) },
    });
    this.health.setTargets(
      ['clearnet', 'tor'].map((way) => ({
        key: `shop/${way}`,
        visit: () =>
          Promise.resolve({ reachable: this.reaches[way] ?? 'no', vantage: 'relay', detail: 'port 443' }),
      })),
    );
    this.fallbacks.settle(desired);
    this.health.start();
  }

  get way(): string | undefined {
    return this.fallbacks.of('shop')?.decision.way;
  }
}

it('visits until it is sure, lets the next take over, and goes back within the minute', async () => {
  const home = new Home();
  home.start();
  await vi.advanceTimersByTimeAsync(10_000);
  expect([home.way, home.slice]).toEqual(['clearnet', {}]);
  home.reaches['clearnet'] = 'no';
  await vi.advanceTimersByTimeAsync(10_000 + 10_000);
  expect(home.way).toBe('tor');
  expect(home.told).toEqual(['fallback.engaged: shop: tor takes over from clearnet; clearnet: port 443']);
  home.reaches['clearnet'] = 'yes';
  await vi.advanceTimersByTimeAsync(10_000 + 35_000);
  expect(home.way).toBe('clearnet');
  expect(home.told.at(-1)).toBe(
    'fallback.released: shop: clearnet is in use again instead of tor; clearnet works again: port 443',
  );
  await home.health.stop();
});

it('is where it was after a restart, and forgets services that are gone', async () => {
  const home = new Home();
  home.start();
  home.reaches['clearnet'] = 'no';
  await vi.advanceTimersByTimeAsync(20_000);
  await home.health.stop();
  expect(JSON.parse(String(home.slice['shop']))).toMatchObject({ way: 'tor' });
  home.start();
  // Nobody has looked yet: unknown is no reason to change anything.
  expect(home.way).toBe('tor');
  expect(home.told).toHaveLength(1);
  home.fallbacks.settle({ orders: new Map() });
  expect([home.way, home.slice]).toEqual([undefined, {}]);
  await home.health.stop();
});

it('decides anew where what was kept cannot be read', () => {
  const home = new Home();
  home.slice = { shop: '{"way":' };
  home.start();
  expect(home.way).toBe('clearnet');
});
