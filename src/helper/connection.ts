import type { Socket } from 'node:net';
import { z } from 'zod';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import { LineReader } from './lines.ts';
import { isOperation, wireError } from './operations.ts';
import type { Dispatch } from './queue.ts';

/** Ten thousand devices fit into one `flows.replace`. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;
/** More waiting requests than this is not the daemon. */
const MAX_PENDING = 1000;

const Request = z.strictObject({ id: z.int(), name: z.string().max(64), input: z.unknown() });

/**
 * One client: `{id, name, input}` a line in, `{id, result}` or `{id, error}` a line out. Whoever does not speak that is
 * told so and hung up on. What was asked before a client left is still finished when it has begun, so that nothing stays
 * half made.
 */
export function serveConnection(socket: Socket, dispatch: Dispatch, log: Log): void {
  const reader = new LineReader(MAX_LINE_BYTES);
  const gone = new AbortController();
  let pending = 0;
  const send = (message: object): void => {
    if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
  };
  const hangUp = (message: string): void => {
    log('warn', 'hung up on a client', { why: message });
    send({ id: null, error: { code: 'InvalidRequest', message } });
    socket.removeAllListeners('data');
    socket.destroySoon();
    // Nothing more is read, so the rest of what a flooding client sends is refused by the kernel.
    setTimeout(() => socket.destroy(), 1000).unref();
  };
  const answer = async (request: z.infer<typeof Request>): Promise<void> => {
    pending += 1;
    try {
      if (!isOperation(request.name)) throw unknownOperation(request.name);
      const result = await dispatch(request.name, request.input, gone.signal);
      send({ id: request.id, result });
    } catch (error) {
      if (!(error instanceof GatewayError)) log('error', 'an operation failed unexpectedly', bugOf(error));
      else log('warn', error.message, { code: error.code, operation: request.name });
      send({ id: request.id, error: wireError(error) });
    } finally {
      pending -= 1;
    }
  };
  socket.on('data', (chunk: Buffer) => {
    const lines = reader.push(chunk);
    if (lines === undefined) return hangUp(`a request is longer than ${MAX_LINE_BYTES} bytes`);
    for (const line of lines) {
      const request = parseRequest(line);
      if (typeof request === 'string') return hangUp(request);
      if (pending >= MAX_PENDING) return hangUp(`more than ${MAX_PENDING} requests are waiting`);
      void answer(request);
    }
  });
  socket.on('error', (error) => log('debug', 'a connection broke', { why: messageOf(error) }));
  socket.on('close', () => gone.abort());
}

/** The request, or what is wrong with the line. */
function parseRequest(line: string): z.infer<typeof Request> | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return `a request is not JSON: ${messageOf(error).slice(0, 100)}`;
  }
  const parsed = Request.safeParse(value);
  return parsed.success ? parsed.data : 'a request is not {id, name, input}';
}

function unknownOperation(name: string): GatewayError {
  return new GatewayError(`there is no operation ${JSON.stringify(name)}`, {
    code: 'InvalidRequest',
    retry: 'never',
  });
}

function bugOf(error: unknown): Record<string, unknown> {
  return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
