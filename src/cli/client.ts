import type { IncomingMessage } from 'node:http';
import { ERROR_CODES, errnoOf, type ErrorCode, GatewayError, messageOf } from '../core/errors.ts';
import type { ErrorBody, JobLine } from '../api/schema.ts';
import type { Progress } from '../core/control.ts';
import { DaemonBug } from './failure.ts';

/** An import of this module would load all that it can hand out: Node's WebSocket, which takes longer than a command. */
const { request } = process.getBuiltinModule('node:http');

type Method = 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The API over its unix socket. Failures of the gateway arrive as the `GatewayError` that they were over there. */
export interface Client {
  readonly socket: string;
  get<T>(path: string, signal: AbortSignal): Promise<T>;
  send<T>(method: Method, path: string, body: unknown, progress: Progress, signal: AbortSignal): Promise<T>;
  /** Calls `onEvent` for each line until the answer ends or the signal aborts. */
  follow(path: string, onEvent: (event: unknown) => void, signal: AbortSignal): Promise<void>;
}

export function createClient(socket: string): Client {
  return {
    socket,
    async get<T>(path: string, signal: AbortSignal) {
      const response = await open(socket, 'GET', path, undefined, signal);
      return (await readAll(socket, response, signal)) as T;
    },
    async send<T>(method: Method, path: string, body: unknown, progress: Progress, signal: AbortSignal) {
      const response = await open(socket, method, path, body, signal);
      let last: JobLine | undefined;
      for await (const line of linesOf(socket, response, signal)) {
        last = line as JobLine;
        if (last.type === 'progress') progress(last.message);
      }
      if (last?.type === 'result') return last.value as T;
      if (last?.type === 'error') throw errorOf(last);
      throw new GatewayError(`the daemon ended before it answered ${method} ${path}`, {
        code: 'DaemonUnreachable',
        hint: 'see its log, then try again: what was begun is finished at the next start',
      });
    },
    async follow(path: string, onEvent: (event: unknown) => void, signal: AbortSignal) {
      const response = await open(socket, 'GET', path, undefined, signal);
      for await (const line of linesOf(socket, response, signal)) onEvent(line);
    },
  };
}

/** Resolves with the answer's head; a status other than 2xx becomes the error that its body says. */
async function open(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    Host: 'gateway',
    ...(text === undefined
      ? { 'Content-Length': 0 }
      : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }),
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const call = request({ socketPath, method, path, headers, signal }, resolve);
    call.on('error', (error) => reject(connectionError(socketPath, error, signal)));
    call.end(text);
  });
  if (response.statusCode !== undefined && response.statusCode < 300) return response;
  throw errorOf((await readAll(socketPath, response, signal)) as ErrorBody);
}

async function readAll(socket: string, response: IncomingMessage, signal: AbortSignal): Promise<unknown> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (error) {
    throw connectionError(socket, error, signal);
  }
  return parse(socket, Buffer.concat(chunks).toString());
}

async function* linesOf(socket: string, response: IncomingMessage, signal: AbortSignal): AsyncGenerator {
  response.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of response) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield parse(socket, line);
    }
  } catch (error) {
    throw error instanceof GatewayError ? error : connectionError(socket, error, signal);
  }
}

function parse(socket: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GatewayError(`what answers on ${socket} is not a gateway: ${text.slice(0, 80)}`, {
      code: 'DaemonUnreachable',
      cause,
    });
  }
}

function errorOf({ code, message, hint }: ErrorBody): Error {
  if (code in ERROR_CODES) {
    return new GatewayError(message, { code: code as ErrorCode, ...(hint === null ? {} : { hint }) });
  }
  return new DaemonBug(message, hint ?? undefined);
}

const START = 'start it: gateway up, or gateway daemon';

function connectionError(socket: string, cause: unknown, signal: AbortSignal): GatewayError {
  const errno = errnoOf(cause);
  if (signal.aborted) {
    return new GatewayError('interrupted; what the gateway has begun goes on', {
      code: 'Aborted',
      hint: 'see gateway status',
      cause,
    });
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    return new GatewayError(`this user may not use the gateway's socket ${socket}`, {
      code: 'PermissionDenied',
      hint: 'use sudo, or become a member of the group gateway',
      cause,
    });
  }
  const why =
    errno === 'ENOENT'
      ? 'there is no such socket'
      : errno === 'ECONNREFUSED'
        ? 'nobody answers'
        : messageOf(cause);
  return new GatewayError(`no gateway daemon at ${socket}: ${why}`, {
    code: 'DaemonUnreachable',
    hint: START,
    cause,
  });
}
