import type { Helper, Log } from '../core/ports.ts';
import type { Network } from '../core/service.ts';
import { pause, tryToAsk } from './long-poll.ts';

export interface EgressWatchOptions {
  readonly helper: Helper;
  readonly log: Log;
  /** `undefined` while no service leaves by itself. */
  readonly leaving: () => Network | undefined;
  /** Look at the world now. */
  readonly changed: () => void;
}

const IDLE_MS = 1000;
/** Between two answers, so that a firewall that changes without end costs a few passes a second at most. */
const BREATH_MS = 100;

/**
 * Waits at the helper for the host's firewall to be changed. It only makes the next pass come sooner: without it, the
 * pass at the interval finds the same.
 */
export class EgressWatch {
  readonly #options: EgressWatchOptions;
  readonly #stopped = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: EgressWatchOptions) {
    this.#options = options;
    this.#running = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped;
    await pause(BREATH_MS, signal);
    while (!signal.aborted) {
      const network = this.#options.leaving();
      const changed = network === undefined ? undefined : await this.#ask(network, signal);
      if (changed === true) this.#options.changed();
      await pause(changed === undefined ? IDLE_MS : BREATH_MS, signal);
    }
  }

  #ask(network: Network, signal: AbortSignal): Promise<boolean | undefined> {
    const { helper, log } = this.#options;
    const ask = async (): Promise<boolean> =>
      (await helper.call('egress.watch', { network }, signal)).changed;
    return tryToAsk({ log, signal, failed: "the host's firewall is not watched", ask });
  }
}
