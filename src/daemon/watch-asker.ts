import { createHash } from 'node:crypto';
import { GatewayError } from '../core/errors.ts';
import { canonical } from '../core/plan.ts';
import type { Desired } from '../core/desired.ts';
import type { Ports } from '../core/ports.ts';
import type { Relay } from '../core/relay.ts';
import { watchFor, type WantedWatch } from '../core/relay-watch.ts';
import type { Engine } from '../engine/engine.ts';
import type { Store } from '../engine/store.ts';
import type { RelayVantages } from './vantages.ts';

export interface WatchAskerOptions {
  readonly desired: () => Desired | undefined;
  readonly vantages: Pick<RelayVantages, 'watch' | 'watching' | 'knowsAbout'>;
  /** The owner said `down`: that it is silent is no news then. */
  readonly isDown: () => boolean;
  readonly now: () => number;
}

interface WatchAskerPieces {
  readonly engine: Pick<Engine, 'desired'>;
  readonly vantages: WatchAskerOptions['vantages'];
  readonly store: Pick<Store, 'isDown'>;
  readonly ports: Pick<Ports, 'now'>;
}

const AFTER_FAILURE_MS = 60_000;

export function createWatchAsker({ engine, vantages, store, ports }: WatchAskerPieces): WatchAsker {
  return new WatchAsker({
    desired: () => engine.desired,
    vantages,
    isDown: () => store.isDown(),
    now: ports.now,
  });
}

/** Keeps every relay knowing whom it tells when this home is silent: what it says that it watches is what is wanted. */
export class WatchAsker {
  readonly #options: WatchAskerOptions;
  readonly #nextMs = new Map<string, number>();
  /** Those of before `down`, which leaves nobody to be asked. */
  #relays: readonly Relay[] = [];

  constructor(options: WatchAskerOptions) {
    this.#options = options;
  }

  async settle(signal: AbortSignal): Promise<void> {
    const desired = this.#options.desired();
    if (desired === undefined) return;
    const { tell } = this.#wanted(desired);
    if (!this.#options.isDown()) this.#relays = desired.relays;
    const mark = tell.length === 0 ? '' : createHash('sha256').update(canonical(tell)).digest('base64url');
    await Promise.all(
      this.#relays
        .filter(({ name }) => (this.#options.vantages.watching(name) ?? mark) !== mark)
        .map((relay) => this.#ask(relay, { mark, tell }, signal)),
    );
  }

  async #ask(relay: Relay, watch: Parameters<RelayVantages['watch']>[1], signal: AbortSignal): Promise<void> {
    const { vantages, now } = this.#options;
    if (now() < (this.#nextMs.get(relay.name) ?? 0)) return;
    this.#nextMs.set(relay.name, now() + AFTER_FAILURE_MS);
    try {
      await vantages.watch(relay, watch, signal);
      this.#nextMs.delete(relay.name);
    } catch (error) {
      // A relay that does not answer is told of elsewhere; it is asked again.
      if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    }
  }

  /** Sentences for the owner: who will not be told. */
  remarks(): string[] {
    const desired = this.#options.desired();
    if (desired?.notify?.whenHomeDies !== true) return [];
    if (desired.relays.length === 0) {
      return ['nobody is told when this home dies: there is no relay; join one: gateway relay join'];
    }
    const { left } = this.#wanted(desired);
    const { vantages } = this.#options;
    const old = desired.relays.filter(
      ({ name }) => vantages.knowsAbout(name) && vantages.watching(name) === undefined,
    );
    return [
      ...left.map((who) => `relays do not tell ${who} when this home dies: see docs/notifications.md`),
      ...old.map(({ name }) => `the relay ${name} is too old to tell anybody when this home dies; update it`),
    ];
  }

  #wanted({ notify, services }: Desired): WantedWatch {
    if (this.#options.isDown()) return { tell: [], left: [] };
    return watchFor(
      notify,
      services.some(({ privacy }) => privacy === 'tor-only'),
    );
  }
}
