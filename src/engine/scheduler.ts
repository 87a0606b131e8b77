import { retryAfterMs } from '../core/retry.ts';

/** How one run ended: `settled` waits for the interval, `steady` twice as long, `again` is tried sooner (core/retry.ts). */
export type Outcome = 'settled' | 'steady' | 'again';

/**
 * Runs one task over and over: at an interval, sooner when triggered or after a failure, never twice at once.
 * Triggers that come while it runs are coalesced into one further run.
 */
export class Scheduler {
  readonly #task: () => Promise<Outcome>;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isTriggered = false;
  #isStopped = false;
  #failures = 0;

  constructor(task: () => Promise<Outcome>, intervalMs: number) {
    this.#task = task;
    this.#intervalMs = intervalMs;
  }

  trigger(): void {
    if (this.#isStopped) return;
    this.#isTriggered = true;
    if (this.#running === undefined) this.#start();
  }

  /** The first run, unless something triggers one before. */
  triggerIn(waitMs: number): void {
    if (this.#isStopped || this.#running !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#start(), waitMs);
  }

  /** Resolves when the run that is under way has ended; nothing runs after it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#isTriggered = false;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const outcome = await this.#task();
    this.#failures = outcome === 'again' ? this.#failures + 1 : 0;
    this.#running = undefined;
    if (this.#isStopped) return;
    if (this.#isTriggered) return this.#start();
    this.#timer = setTimeout(() => this.#start(), this.#waitMs(outcome));
  }

  #waitMs(outcome: Outcome): number {
    if (outcome === 'again') return retryAfterMs(this.#failures);
    return outcome === 'steady' ? 2 * this.#intervalMs : this.#intervalMs;
  }
}
