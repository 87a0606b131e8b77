import { connect, type Socket } from 'node:net';
import { errnoOf, GatewayError, isErrorCode, messageOf } from '../core/errors.ts';
import {
  OPERATIONS,
  type OperationArguments,
  type OperationName,
  type OperationResult,
} from '../core/operations.ts';
import type { Helper } from '../core/ports.ts';

/** A helper that works answers every operation well within this time; tor's own checks are the slowest. */
const ANSWER_TIMEOUT_MS = 90_000;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Connection {
  readonly socket: Socket;
  readonly waiting: Map<number, Waiting>;
}

/** The daemon's line to the helper: connects at the first call, and again after the helper was restarted. */
export function createHelper(socketPath: string): Helper & { close(): void } {
  let connection: Connection | undefined;
  let lastId = 0;

  const current = async (signal: AbortSignal): Promise<Connection> => {
    if (connection !== undefined && !connection.socket.destroyed) return connection;
    const opened = await open(socketPath, signal);
    connection = opened;
    return opened;
  };

  const call = async <Name extends OperationName>(
    name: Name,
    input: OperationArguments<Name>,
    signal: AbortSignal,
  ): Promise<OperationResult<Name>> => {
    if (signal.aborted) throw aborted(name, signal);
    const to = await current(signal);
    lastId += 1;
    const answer = await ask(to, { id: lastId, name, input }, signal);
    return OPERATIONS[name].result.parse(answer) as OperationResult<Name>;
  };

  return { call, close: () => connection?.socket.destroy() };
}

async function open(socketPath: string, signal: AbortSignal): Promise<Connection> {
  const socket = connect(socketPath);
  const waiting = new Map<number, Waiting>();
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      socket.destroy();
      reject(aborted('connecting to the helper', signal));
    };
    signal.addEventListener('abort', stop, { once: true });
    socket.once('error', (error) => reject(unreachable(socketPath, error)));
    socket.once('connect', () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
  });
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) settle(waiting, line);
  });
  let cause: unknown;
  socket.on('error', (error) => (cause = error));
  socket.on('close', () => {
    for (const { reject } of waiting.values()) reject(unreachable(socketPath, cause));
    waiting.clear();
  });
  // An idle line must not keep a process alive that has nothing else to do.
  socket.unref();
  return { socket, waiting };
}

interface Call {
  readonly id: number;
  readonly name: OperationName;
  readonly input: unknown;
}

function ask({ socket, waiting }: Connection, call: Call, signal: AbortSignal): Promise<unknown> {
  if (signal.aborted) return Promise.reject(aborted(call.name, signal));
  return new Promise((resolve, reject) => {
    const patience = setTimeout(() => finish(() => reject(silent(call.name))), ANSWER_TIMEOUT_MS);
    const stop = (): void => finish(() => reject(aborted(call.name, signal)));
    const finish = (then: () => void): void => {
      clearTimeout(patience);
      signal.removeEventListener('abort', stop);
      waiting.delete(call.id);
      then();
    };
    signal.addEventListener('abort', stop, { once: true });
    waiting.set(call.id, {
      resolve: (result) => finish(() => resolve(result)),
      reject: (error) => finish(() => reject(error)),
    });
    socket.write(`${JSON.stringify(call)}\n`);
  });
}

interface Answer {
  readonly id: number | null;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
}

function settle(waiting: ReadonlyMap<number, Waiting>, line: string): void {
  const { id, result, error } = JSON.parse(line) as Answer;
  // Without an id the helper complains about the line itself, and hangs up: every call on it fails.
  const asked = id === null ? [...waiting.values()] : [waiting.get(id)];
  for (const call of asked) {
    if (error === undefined) call?.resolve(result);
    else call?.reject(translate(error));
  }
}

function translate({ code, message, hint }: NonNullable<Answer['error']>): Error {
  if (!isErrorCode(code)) return new Error(`the helper failed: ${message}`);
  const retry = code === 'HelperRefused' || code === 'InvalidRequest' ? 'when-changed' : 'backoff';
  return new GatewayError(message, { code, retry, ...(hint === undefined ? {} : { hint }) });
}

function unreachable(socketPath: string, cause: unknown): GatewayError {
  const errno = errnoOf(cause);
  const why =
    errno === 'ENOENT' || errno === 'ECONNREFUSED'
      ? 'it is not running'
      : errno === 'EACCES'
        ? 'this user may not open its socket'
        : cause === undefined
          ? 'it hung up'
          : messageOf(cause);
  return new GatewayError(`the helper does not answer on ${socketPath}: ${why}`, {
    code: 'HelperUnreachable',
    hint: 'start it: sudo gateway up (or systemctl start gateway-helper); ways in that are open stay open meanwhile',
    cause,
  });
}

function silent(name: string): GatewayError {
  return new GatewayError(`the helper did not answer ${name} within ${ANSWER_TIMEOUT_MS / 1000} seconds`, {
    code: 'HelperUnreachable',
    hint: 'look at the helper: systemctl status gateway-helper',
  });
}

function aborted(what: string, signal: AbortSignal): GatewayError {
  return new GatewayError(`${what} was cancelled`, { code: 'Aborted', retry: 'never', cause: signal.reason });
}
