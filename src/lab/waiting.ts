import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, GatewayError } from '../core/errors.ts';

export interface WaitOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Completes "… did not happen": 'the node home is up'. */
  readonly what: string;
  /** Why it can no longer happen; `undefined` while it still can. */
  readonly failed?: () => string | undefined | Promise<string | undefined>;
  readonly intervalMs?: number;
}

/** Looks again and again until `look` gives a value. Rejects with `LabFailed`, `Timeout` or `Aborted`. */
export async function waitFor<T>(
  look: () => T | undefined | Promise<T | undefined>,
  options: WaitOptions,
): Promise<T> {
  const end = performance.now() + options.timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    const failure = await options.failed?.();
    if (failure !== undefined) throw new GatewayError(failure, { code: 'LabFailed' });
    if (performance.now() > end) {
      throw new GatewayError(`waited ${options.timeoutMs} ms until ${options.what}, in vain`, {
        code: 'Timeout',
      });
    }
    await pause(options.intervalMs ?? 3, options);
  }
}

async function pause(milliseconds: number, { signal, what }: WaitOptions): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch (cause) {
    throw new GatewayError(`cancelled while waiting until ${what}`, {
      code: 'Aborted',
      retry: 'never',
      cause,
    });
  }
}

/** For `waitFor`: true once there is such a file. */
export async function exists(file: string): Promise<true | undefined> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
