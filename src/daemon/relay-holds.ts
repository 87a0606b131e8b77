import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import type { Relay } from '../core/relay.ts';
import type { RelayVantages } from './vantages.ts';

export interface RelayHoldsOptions {
  readonly relays: () => readonly Relay[];
  readonly vantages: RelayVantages;
  /** One broke that stood: our line may have another address. */
  readonly broke: () => void;
  readonly log: Log;
}

/** A relay of an earlier version does not know the question. */
const AFTER_REFUSAL_MS = 10 * 60_000;
const AFTER_END_MS = 2000;
const AFTER_FAILURE_MS = 60_000;

/**
 * Holds one silent connection to each relay. When our provider gives the line another address, nothing at home changes but
 * that: connections that stand break, and this one is there to.
 */
export class RelayHolds {
  readonly #options: RelayHoldsOptions;
  readonly #holding = new Map<string, AbortController>();

  constructor(options: RelayHoldsOptions) {
    this.#options = options;
  }

  /** Takes up relays that are new, and lets go of those that were left. */
  settle(signal: AbortSignal): Promise<void> {
    const relays = new Map(this.#options.relays().map((relay) => [keyOf(relay), relay]));
    for (const [key, stop] of this.#holding) {
      if (relays.has(key)) continue;
      stop.abort();
      this.#holding.delete(key);
    }
    for (const [key, relay] of relays) {
      if (this.#holding.has(key)) continue;
      const stop = new AbortController();
      this.#holding.set(key, stop);
      this.#hold(relay, AbortSignal.any([signal, stop.signal])).catch((error: unknown) => {
        if (this.#holding.get(key) === stop) this.#holding.delete(key);
        if (!signal.aborted && !stop.signal.aborted) {
          this.#options.log('error', 'a relay is not listened to', {
            relay: relay.name,
            error: messageOf(error),
          });
        }
      });
    }
    return Promise.resolve();
  }

  async #hold(relay: Relay, signal: AbortSignal): Promise<never> {
    for (;;) await sleep(await this.#once(relay, signal), undefined, { signal, ref: false });
  }

  /** Resolves with how long to wait before the next one. */
  async #once(relay: Relay, signal: AbortSignal): Promise<number> {
    try {
      await this.#options.vantages.hold(relay, signal);
      signal.throwIfAborted();
      this.#options.broke();
      return AFTER_END_MS;
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted) throw error;
      return error.code === 'RelayRefused' ? AFTER_REFUSAL_MS : AFTER_FAILURE_MS;
    }
  }
}

function keyOf({ name, address, fingerprint, home }: Relay): string {
  return [name, address, fingerprint, home].join(' ');
}
