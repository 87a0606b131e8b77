import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';

/** What both watches share: a question to the helper that only makes the next pass come sooner may fail quietly. */
export interface Question<Answer> {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Static message for the log when it could not be told. */
  readonly failed: string;
  readonly ask: () => Promise<Answer>;
}

/** `undefined` when it could not be told. */
export async function tryToAsk<Answer>({
  log,
  signal,
  failed,
  ask,
}: Question<Answer>): Promise<Answer | undefined> {
  try {
    return await ask();
  } catch (error) {
    const level = error instanceof GatewayError ? 'debug' : 'error';
    if (!signal.aborted) log(level, failed, { error: messageOf(error) });
    return undefined;
  }
}

/** Ends early, without a word, when `signal` aborts. */
export async function pause(waitMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(waitMs, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
