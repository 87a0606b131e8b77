import { GatewayError, messageOf } from '../../core/errors.ts';
import type { Measurement, Seen } from '../../doctor/nat/measurement.ts';

/** What was seen so far. Whoever measures adds to it as it comes, so that a deadline costs only what was not there yet. */
export class Survey {
  readonly seen: Measurement[] = [];
  /** Ends when the time is over. */
  readonly signal: AbortSignal;
  readonly #told: (seen: Seen) => void;

  constructor(signal: AbortSignal, told: (seen: Seen) => void) {
    this.signal = signal;
    this.#told = told;
  }

  add(seen: Seen | undefined): void {
    if (seen === undefined || this.signal.aborted) return;
    this.seen.push({ ...seen, at: new Date().toISOString() });
    this.#told(seen);
  }

  /** A measurement that fails is one that is missing: why, is told beside the others. */
  async attempt<Value>(what: string, measure: () => Promise<Value>): Promise<Value | undefined> {
    try {
      return await measure();
    } catch (error) {
      const isAbort = this.signal.aborted || (error instanceof Error && error.name === 'AbortError');
      if (!(error instanceof GatewayError) && !isAbort) throw error;
      this.miss(what, this.signal.aborted ? 'it took too long' : messageOf(error));
      return undefined;
    }
  }

  miss(what: string, why: string): void {
    this.seen.push({ method: 'missing', what, why, at: new Date().toISOString() });
  }
}
