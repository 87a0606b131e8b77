import type { Applied } from '../core/applied.ts';
import type { SeenNamespace } from '../core/entered.ts';
import type { Helper, Log } from '../core/ports.ts';
import { pause, tryToAsk } from './long-poll.ts';

export interface NamespaceWatchOptions {
  readonly helper: Helper;
  readonly log: Log;
  /** A container or unit was started, stopped or replaced: look at the world now. */
  readonly changed: () => void;
}

/** Between two answers, so that whatever restarts without end costs a few passes a second at most. */
const BREATH_MS = 100;
const RETRY_MS = 1_000;

/**
 * Waits at the helper for namespaces that we entered to be replaced. It only makes the next pass come sooner: without
 * it, the pass at the interval finds the same.
 */
export class NamespaceWatch {
  readonly #options: NamespaceWatchOptions;
  readonly #stopped = new AbortController();
  #aim: { readonly applied: Applied; readonly over: AbortController } | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: NamespaceWatchOptions) {
    this.#options = options;
  }

  /** Called when the helper knows what is justified. Replaces what was watched before. */
  aim(applied: Applied): void {
    this.#aim?.over.abort();
    const over = new AbortController();
    this.#aim = { applied, over };
    if (!Object.values(applied.services).some(({ place }) => place.type === 'entered')) return;
    const signal = AbortSignal.any([this.#stopped.signal, over.signal]);
    this.#running = this.#running.then(() => this.#watch(applied, signal));
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #watch(applied: Applied, signal: AbortSignal): Promise<void> {
    let seen: readonly SeenNamespace[] = [];
    while (!signal.aborted) {
      const now = await this.#ask(applied, seen, signal);
      if (now !== undefined && JSON.stringify(now) !== JSON.stringify(seen)) {
        seen = now;
        this.#options.changed();
      }
      await pause(now === undefined ? RETRY_MS : BREATH_MS, signal);
    }
  }

  #ask(
    { network }: Applied,
    seen: readonly SeenNamespace[],
    signal: AbortSignal,
  ): Promise<readonly SeenNamespace[] | undefined> {
    const { helper, log } = this.#options;
    const input = { network, seen: [...seen] };
    const ask = async (): Promise<readonly SeenNamespace[]> =>
      (await helper.call('entered.watch', input, signal)).seen;
    return tryToAsk({ log, signal, failed: 'namespaces are not watched', ask });
  }
}
