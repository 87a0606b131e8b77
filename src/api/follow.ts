import { type Control } from '../core/control.ts';
import type { Log } from '../core/ports.ts';
import { failureOf } from './errors.ts';

const POLL_MS = 250;
const PAGE = 500;

/**
 * Events as JSON lines, from `after` on, as they happen. The journal is asked again and again: what is in it survives
 * a restart of the daemon, a list of listeners would not.
 */
export function followEvents(
  control: Pick<Control, 'events'>,
  after: number,
  signal: AbortSignal,
  log: Log,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const gone = new AbortController();
  const ended = AbortSignal.any([signal, gone.signal]);
  let last = after;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        while (!ended.aborted) {
          const events = await control.events(last, PAGE);
          for (const event of events) controller.enqueue(encoder.encode(`${JSON.stringify(event)}\n`));
          last = events.at(-1)?.seq ?? last;
          if (events.length > 0) return;
          await pause(POLL_MS, ended);
        }
        if (!gone.signal.aborted) controller.close();
      } catch (error) {
        const { body } = failureOf(error, log);
        if (!gone.signal.aborted) controller.error(new Error(`${body.code}: ${body.message}`));
      }
    },
    cancel: () => gone.abort(),
  });
}

/** Resolves after a while, at once when the signal aborts. */
function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, durationMs);
  const wake = (): void => resolve();
  signal.addEventListener('abort', wake, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', wake);
  });
}
