import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../core/errors.ts';
import type { HelperEnvironment } from './environment.ts';
import { hashOfDescription } from './edge-config.ts';

export interface EdgeAnswer {
  /** Hash of the configuration that it has loaded; `undefined` when it is none of ours. */
  readonly loadedHash: string | undefined;
  readonly connections: number;
}

/** Asks the running HAProxy what it has loaded; rejects with `EdgeUnavailable` when it does not answer. */
export async function askEdge(
  environment: HelperEnvironment,
  signal: AbortSignal,
  timeoutMs = 3000,
): Promise<EdgeAnswer> {
  const text = await exchange(environment.paths.edgeSocket, 'show info\n', signal, timeoutMs);
  const values = new Map(
    text.split('\n').flatMap((line) => {
      const end = line.indexOf(': ');
      return end < 0 ? [] : [[line.slice(0, end), line.slice(end + 2)] as const];
    }),
  );
  return {
    loadedHash: hashOfDescription(values.get('description') ?? ''),
    connections: Number(values.get('CurrConns') ?? 0),
  };
}

/** What HAProxy says to one command; a last line of ours must be empty where it takes several. */
export function tellEdge(
  environment: HelperEnvironment,
  command: string,
  signal: AbortSignal,
): Promise<string> {
  return exchange(environment.paths.edgeSocket, `${command}\n`, signal, 5000);
}

const MASTER_PATIENCE_MS = 5000;

/** The same of one worker, also one that was replaced; one that has ended meanwhile has nothing to say. */
export async function tellWorker(
  pid: number,
  environment: HelperEnvironment,
  command: string,
  signal: AbortSignal,
): Promise<string> {
  const deadline = Date.now() + MASTER_PATIENCE_MS;
  for (;;) {
    try {
      return await exchange(environment.paths.edgeMaster, `@!${pid} ${command}\n`, signal, 5000);
    } catch (error) {
      // During a reload the master runs its program anew, and nobody listens for a moment.
      if (signal.aborted || Date.now() > deadline) throw error;
      await sleep(50, undefined, { signal });
    }
  }
}

/** One command to a socket of HAProxy's, which closes the connection after its answer. */
export function exchange(
  path: string,
  command: string,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const ends = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const socket = connect({ path, signal: ends });
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (answer += chunk));
    socket.on('end', () => resolve(answer));
    socket.on('error', (error) => {
      reject(signal.aborted ? aborted(signal) : unavailable(error, ends.aborted ? timeoutMs : undefined));
    });
    // The master waits for more until it is told that there is none.
    socket.end(command);
  });
}

function unavailable(cause: Error, timeoutMs: number | undefined): GatewayError {
  const what = timeoutMs === undefined ? cause.message : `no answer within ${timeoutMs} ms`;
  return new GatewayError(`HAProxy does not answer on its socket: ${what}`, {
    code: 'EdgeUnavailable',
    cause,
  });
}

function aborted(signal: AbortSignal): GatewayError {
  return new GatewayError('the question to HAProxy was cancelled', {
    code: 'Aborted',
    retry: 'never',
    cause: signal.reason,
  });
}
