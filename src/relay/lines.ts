import { connect, type Socket } from 'node:net';
import { GatewayError, messageOf } from '../core/errors.ts';
import { LineReader } from '../helper/lines.ts';

/** Questions and answers over a unix socket, a line of JSON each; answers come in the order of the questions. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** Answers each line; whoever says what is none is hung up on. Also `close` of a socket ends what it asked for. */
export function answerLines(
  socket: Socket,
  answer: (question: unknown, signal: AbortSignal) => Promise<unknown>,
): void {
  const reader = new LineReader(MAX_LINE_BYTES);
  const gone = new AbortController();
  let turn: Promise<void> = Promise.resolve();
  const respond = async (line: string): Promise<void> => {
    let said: object;
    try {
      said = { ok: true, value: await answer(JSON.parse(line), gone.signal) };
    } catch (error) {
      said = { ok: false, message: messageOf(error).slice(0, 2000) };
    }
    if (socket.writable) socket.write(`${JSON.stringify(said)}\n`);
  };
  socket.on('data', (chunk: Buffer) => {
    const lines = reader.push(chunk);
    if (lines === undefined) return void socket.destroy();
    for (const line of lines) turn = turn.then(() => respond(line));
    return undefined;
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => gone.abort());
}

export interface LineClient {
  /** Rejects with `RelayRefused` and what the far end said, or `Unreachable` when it is gone. */
  ask(question: unknown): Promise<unknown>;
  close(): void;
}

interface Answer {
  readonly ok: boolean;
  readonly value?: unknown;
  readonly message?: string;
}

/** `gone` is called once, when the far end hung up. */
export async function lineClient(path: string, gone: () => void): Promise<LineClient> {
  const socket = await open(path);
  const reader = new LineReader(MAX_LINE_BYTES);
  const waiting: PromiseWithResolvers<unknown>[] = [];
  socket.on('data', (chunk: Buffer) => {
    const lines = reader.push(chunk);
    if (lines === undefined) return void socket.destroy();
    for (const line of lines) settle(waiting.shift(), line);
    return undefined;
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    for (const one of waiting.splice(0)) one.reject(unreachable(path));
    gone();
  });
  return {
    ask: (question) => {
      if (socket.destroyed) return Promise.reject(unreachable(path));
      const one = Promise.withResolvers<unknown>();
      waiting.push(one);
      socket.write(`${JSON.stringify(question)}\n`);
      return one.promise;
    },
    close: () => void socket.destroy(),
  };
}

function settle(one: PromiseWithResolvers<unknown> | undefined, line: string): void {
  try {
    const said = JSON.parse(line) as Answer;
    if (said.ok) one?.resolve(said.value);
    else one?.reject(new GatewayError(said.message ?? 'it did not say why', { code: 'RelayRefused' }));
  } catch (cause) {
    one?.reject(cause);
  }
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (cause) => reject(unreachable(path, cause)));
  });
}

function unreachable(path: string, cause?: Error): GatewayError {
  return new GatewayError(`no relay answers on ${path}`, {
    code: 'RelayUnreachable',
    hint: 'start it on this machine, as root: gateway relay up',
    cause,
  });
}
