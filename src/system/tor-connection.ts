import { connect, type Socket } from 'node:net';
import { GatewayError, messageOf } from '../core/errors.ts';
import {
  ControlDecoder,
  parseDescriptorEvent,
  type ControlReply,
  type DescriptorEvent,
} from '../wire/torcontrol.ts';

export interface TorWatcher {
  descriptor?(event: DescriptorEvent): void;
  /** Any event, as tor wrote it. */
  event?(line: string): void;
  /** Once, whoever ended it. */
  ended(): void;
}

interface Waiting {
  readonly resolve: (reply: ControlReply) => void;
  readonly reject: (error: GatewayError) => void;
}

const TIMEOUT_MS = 10_000;

/** One control connection that was authenticated and listens to events. Replies come in the order of the commands. */
export class TorConnection {
  readonly #socket: Socket;
  readonly #decoder = new ControlDecoder();
  readonly #watcher: TorWatcher;
  readonly #waiting: Waiting[] = [];
  #ended: GatewayError | undefined;

  private constructor(socket: Socket, watcher: TorWatcher) {
    this.#socket = socket;
    this.#watcher = watcher;
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#take(chunk));
    socket.on('error', (error) => this.#end(unavailable(error)));
    socket.on('close', () => this.#end(unavailable(new Error('tor closed the connection'))));
    // The daemon's life does not hang on this connection.
    socket.unref();
  }

  static async open(
    path: string,
    watcher: TorWatcher,
    events = 'HS_DESC STATUS_CLIENT',
  ): Promise<TorConnection> {
    const connection = new TorConnection(connect({ path }), watcher);
    // Ends by itself: each command has its time.
    const { signal } = new AbortController();
    try {
      await connection.command('AUTHENTICATE', signal);
      await connection.command(`SETEVENTS ${events}`, signal);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** The lines of a successful reply (250, or 251 and 252 with a remark); any other is `TorControl`. */
  async command(line: string, signal: AbortSignal): Promise<readonly string[]> {
    const reply = await this.#ask(line, signal);
    if (reply.status >= 250 && reply.status <= 252) return reply.lines;
    const word = line.split(' ', 1)[0] ?? '';
    throw new GatewayError(`tor refused ${word}: ${reply.status} ${reply.lines.join(' ')}`, {
      code: 'TorControl',
    });
  }

  #ask(line: string, signal: AbortSignal): Promise<ControlReply> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      if (signal.aborted) return reject(aborted(signal));
      // A tor that does not answer is hung: the connection is given up, and with it all who wait.
      const timer = setTimeout(() => this.#end(silent()), TIMEOUT_MS);
      const abort = (): void => settle(() => reject(aborted(signal)));
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        act();
      };
      signal.addEventListener('abort', abort, { once: true });
      // Who aborted stays in the queue, so that the late reply is not taken for another's.
      this.#waiting.push({
        resolve: (reply) => settle(() => resolve(reply)),
        reject: (error) => settle(() => reject(error)),
      });
      this.#socket.write(`${line}\r\n`);
    });
  }

  #take(chunk: string): void {
    try {
      const { replies, events } = this.#decoder.push(chunk);
      for (const reply of replies) this.#waiting.shift()?.resolve(reply);
      for (const event of events) {
        const line = event.lines[0] ?? '';
        const descriptor = parseDescriptorEvent(line);
        if (descriptor !== undefined) this.#watcher.descriptor?.(descriptor);
        this.#watcher.event?.(line);
      }
    } catch (error) {
      this.#end(error instanceof GatewayError ? error : unavailable(error));
    }
  }

  #end(error: GatewayError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#socket.destroy();
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
    this.#watcher.ended();
  }

  close(): void {
    this.#end(new GatewayError('the connection to tor was closed', { code: 'Aborted', retry: 'never' }));
  }
}

function unavailable(cause: unknown): GatewayError {
  return new GatewayError(`tor does not answer on its control socket: ${messageOf(cause)}`, {
    code: 'TorUnavailable',
    cause,
  });
}

function silent(): GatewayError {
  return new GatewayError(`tor did not answer on its control socket within ${TIMEOUT_MS / 1000} s`, {
    code: 'TorUnavailable',
  });
}

function aborted(signal: AbortSignal): GatewayError {
  return new GatewayError('the question to tor was cancelled', {
    code: 'Aborted',
    retry: 'never',
    cause: signal.reason,
  });
}
