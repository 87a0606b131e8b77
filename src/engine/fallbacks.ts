import type { Ledger, Reach } from '../core/contract.ts';
import type { Desired } from '../core/desired.ts';
import type { Recorder } from '../core/events.ts';
import {
  decideFallback,
  readDecision,
  writeDecision,
  type Decision,
  type Outcome,
  type WaySeen,
} from '../core/fallback.ts';

/** Where decisions outlive the daemon: a slice of the ledger. */
export interface FallbackMemory {
  read(): Ledger;
  write(slice: Ledger): void;
}

/** A visit through a relay is some 4 kB; a relay allows one every two seconds in the long run (src/relay/answer.ts). */
const WATCH_MS = 10_000;
/** So much longer for each service that may be watched: a visit that fails takes two of what the relay allows. */
const WATCHED_MS = 5000;

export interface FallbacksOptions {
  readonly now: () => number;
  /** What is known of a way; `key` is `service/provider`. */
  readonly seen: (key: string) => (Omit<WaySeen, 'provider'> & Pick<Reach, 'vantage'>) | undefined;
  /** A visit at this time, or before, could change what was decided. */
  readonly lookBy: (key: string, atMs: number) => void;
  readonly record: Recorder;
  readonly memory: FallbackMemory;
}

interface ServiceWays
  extends Pick<Outcome, 'isDark' | 'isOpen' | 'isFallback'>, Pick<Decision, 'way' | 'why'> {
  readonly name: string;
}

/**
 * Which way in of each service is in use. Every way stays open whatever is decided: what changes is which one people are
 * told, so that nothing depends on the daemon.
 */
export class Fallbacks {
  readonly #options: FallbacksOptions;
  /** By service. */
  readonly #outcomes = new Map<string, Outcome>();
  #decisions: Map<string, Decision> | undefined;

  constructor(options: FallbacksOptions) {
    this.#options = options;
  }

  /** `undefined`: it has no way in that its rule allows. */
  of(service: string): Outcome | undefined {
    return this.#outcomes.get(service);
  }

  /** By service, as people are told of it. */
  all(): readonly ServiceWays[] {
    return [...this.#outcomes].map(([name, { isDark, isOpen, isFallback, decision }]) => {
      return { name, isDark, isOpen, isFallback, way: decision.way, why: decision.why };
    });
  }

  /** Other services, or other ways of them: all are decided anew. */
  settle({ orders }: Pick<Desired, 'orders'>): void {
    const decisions = this.#recall();
    for (const service of decisions.keys()) if (!orders.has(service)) decisions.delete(service);
    this.#outcomes.clear();
    for (const [service, order] of orders) this.#decide(service, order);
    this.#keep(orders);
  }

  /** A visit ended: decides anew for that service. `key` is `service/provider`. */
  visited(key: string, { orders }: Pick<Desired, 'orders'>): void {
    const service = key.slice(0, key.lastIndexOf('/'));
    const order = orders.get(service);
    if (order === undefined) return;
    this.#decide(service, order);
    this.#keep(orders);
  }

  #recall(): Map<string, Decision> {
    return (this.#decisions ??= readDecisions(this.#options.memory.read()));
  }

  #decide(service: string, order: readonly string[]): void {
    const { seen, lookBy, now } = this.#options;
    const before = this.#recall().get(service);
    const found = order.flatMap((provider) => {
      const known = seen(`${service}/${provider}`);
      return known === undefined ? [] : [{ provider, ...known }];
    });
    const outcome = decideFallback(order, found, before, now());
    if (outcome === undefined) return;
    this.#outcomes.set(service, outcome);
    this.#recall().set(service, outcome.decision);
    if (outcome.nextLook !== undefined) {
      lookBy(`${service}/${outcome.nextLook.provider}`, outcome.nextLook.atMs);
    }
    if (order.length > 1) this.#watch(service, order.slice(0, order.indexOf(outcome.decision.way) + 1));
    if (before !== undefined) this.#tell(service, before, outcome);
  }

  /** The way in use, and those that it waits for: where a relay of ours looks, a look every few seconds costs little. */
  #watch(service: string, ways: readonly string[]): void {
    const { seen, lookBy } = this.#options;
    const watchMs = Math.max(WATCH_MS, WATCHED_MS * this.#outcomes.size);
    for (const way of ways) {
      const known = seen(`${service}/${way}`);
      if (known?.vantage === 'relay') lookBy(`${service}/${way}`, known.seenMs + watchMs);
    }
  }

  #tell(service: string, before: Decision, { change, decision: { way, why } }: Outcome): void {
    if (change === undefined) return;
    const what = change === 'engaged' ? 'takes over from' : 'is in use again instead of';
    const data = { service, way, before: before.way };
    this.#options.record(`fallback.${change}`, `${service}: ${way} ${what} ${before.way}; ${why}`, data);
  }

  /** Another change of the ledger may have been on its way and have set ours back: compared each time. */
  #keep(orders: Desired['orders']): void {
    const { memory } = this.#options;
    const slice = Object.fromEntries(
      [...this.#recall()]
        .filter(([service, decision]) => isPast(decision, orders.get(service)?.[0]))
        .map(([service, decision]) => [service, writeDecision(decision)]),
    );
    const kept = memory.read();
    const services = new Set([...Object.keys(kept), ...Object.keys(slice)]);
    if ([...services].some((service) => kept[service] !== slice[service])) memory.write(slice);
  }
}

/** Where nothing ever failed there is nothing to remember. */
function isPast({ way, releasedMs, flaps }: Decision, first: string | undefined): boolean {
  return way !== first || releasedMs !== undefined || flaps > 0;
}

/** What cannot be read is decided anew. */
function readDecisions(slice: Ledger): Map<string, Decision> {
  return new Map(
    Object.entries(slice).flatMap(([service, text]): [string, Decision][] => {
      const decision = readDecision(String(text));
      return decision === undefined ? [] : [[service, decision]];
    }),
  );
}
