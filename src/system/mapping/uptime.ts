/**
 * A router's `NewUptime`, as far as it can be believed. Many say 0, or one number for ever; only a clock that was seen to
 * run tells a restart when it goes back.
 */
export class Uptime {
  #last: { readonly seconds: number; readonly at: number } | undefined;
  #runs = false;

  /** What the router said, and when, in milliseconds. Gives it back once it is known to run. */
  take(seconds: number | undefined, at: number): number | undefined {
    if (seconds === undefined) return undefined;
    const last = this.#last;
    this.#last = { seconds, at };
    if (last !== undefined && !this.#runs) {
      const elapsed = (at - last.at) / 1000;
      const gone = seconds - last.seconds;
      this.#runs = elapsed >= MEASURED_SECONDS && gone > elapsed * 0.8 - 1 && gone < elapsed * 1.2 + 1;
      // Too soon to tell: the first one is still what is compared with.
      if (elapsed < MEASURED_SECONDS) this.#last = last;
    }
    return this.#runs ? seconds : undefined;
  }
}

const MEASURED_SECONDS = 10;
