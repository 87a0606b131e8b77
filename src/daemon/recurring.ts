import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';

/** A short tick instead of one long timer: the clock may be set, and Node fires a timer of a month at once. */
const TICK_MS = 1000;
const AFTER_FAILURE_MS = 15_000;

/** Does what is due, again and again. While the daemon does not run nobody does: then right after its start. */
export class Recurring {
  readonly #task: (signal: AbortSignal) => Promise<void>;
  readonly #failed: string;
  readonly #log: Log;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  /** `failed`: what the log says when it did not work. */
  constructor(task: (signal: AbortSignal) => Promise<void>, failed: string, log: Log) {
    this.#task = task;
    this.#failed = failed;
    this.#log = log;
  }

  start(): void {
    this.#wait(TICK_MS);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  #wait(waitMs: number): void {
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#tick();
    }, waitMs);
  }

  async #tick(): Promise<void> {
    try {
      await this.#task(this.#abort.signal);
      this.#wait(TICK_MS);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#log('error', this.#failed, { error: messageOf(error) });
      this.#wait(AFTER_FAILURE_MS);
    }
  }
}
