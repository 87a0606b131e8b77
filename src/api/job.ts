import type { Context } from 'hono';
import type { Progress } from '../core/control.ts';
import type { Log } from '../core/ports.ts';
import { failureOf } from './errors.ts';
import type { ErrorBody, JobLine } from './schema.ts';

/**
 * Answers a long call with JSON lines: progress, then the result or the error.
 * A failure before the first line of progress has an HTTP status of its own.
 * When the caller hangs up, only the telling stops: what was begun goes on, because a half-applied change serves nobody.
 */
export async function answerJob(
  c: Context,
  log: Log,
  job: (progress: Progress) => Promise<unknown>,
): Promise<Response> {
  const lines = lineStream();
  const begun = Promise.withResolvers<undefined>();
  const ended = settle(log, job, (message) => {
    lines.write({ type: 'progress', message });
    begun.resolve(undefined);
  });
  const early = await Promise.race([begun.promise, ended]);
  if (early?.status !== undefined) return c.json(early.body, early.status);
  void ended.then(({ line }) => lines.end(line));
  return c.body(lines.body, 200, { 'Content-Type': 'application/x-ndjson' });
}

async function settle(log: Log, job: (progress: Progress) => Promise<unknown>, progress: Progress) {
  try {
    const line: JobLine = { type: 'result', value: (await job(progress)) ?? null };
    return { line, status: undefined };
  } catch (error) {
    const { status, body } = failureOf(error, log);
    const line: JobLine = { type: 'error', ...body };
    return { line, status, body: body satisfies ErrorBody };
  }
}

/** A response body that is written line by line and never blocks the writer. */
function lineStream() {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (given) => void (controller = given),
    cancel: () => void (controller = undefined),
  });
  const write = (line: JobLine): void => controller?.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
  const end = (line: JobLine): void => {
    write(line);
    controller?.close();
    controller = undefined;
  };
  return { body, write, end };
}
