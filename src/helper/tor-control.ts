import { connect } from 'node:net';
import { GatewayError } from '../core/errors.ts';
import { ControlDecoder, encodeDataCommand, keyValues, type ControlReply } from '../wire/torcontrol.ts';
import type { HelperEnvironment } from './environment.ts';
import { hashOfContact, withoutComments } from './torrc.ts';

export interface TorAnswer {
  /** Hash of the torrc that it has loaded; `undefined` when it is none of ours. */
  readonly loadedHash: string | undefined;
  /** Its `ContactInfo`: the hash and which introduction points it has. */
  readonly contact: string;
}

/** Asks the running tor which torrc it has loaded; rejects with `TorUnavailable` when it does not answer. */
export async function askTor(
  environment: HelperEnvironment,
  signal: AbortSignal,
  timeoutMs = 3000,
): Promise<TorAnswer> {
  const reply = await exchange(environment, 'GETCONF ContactInfo\r\n', signal, timeoutMs);
  if (reply.status !== 250) throw refused('GETCONF', reply);
  const contact = keyValues(reply.lines).get('ContactInfo') ?? '';
  return { loadedHash: hashOfContact(contact), contact };
}

/**
 * Makes the running tor take a torrc, without touching what it need not. LOADCONF and not SIGHUP: a running tor refuses
 * what it cannot change or understand, where the signal would end it (tried with 0.4.9.11).
 */
export async function giveTor(
  environment: HelperEnvironment,
  torrc: string,
  signal: AbortSignal,
): Promise<void> {
  const command = encodeDataCommand('LOADCONF', withoutComments(torrc));
  const reply = await exchange(environment, command, signal, 20_000);
  if (reply.status !== 250) throw refused('the new torrc', reply);
}

function refused(what: string, reply: ControlReply): GatewayError {
  return new GatewayError(`tor refused ${what}: ${reply.status} ${reply.lines.join(' ')}`, {
    code: 'TorControl',
  });
}

/** One connection, AUTHENTICATE and one command; resolves with the reply to the command. */
function exchange(
  { paths }: HelperEnvironment,
  command: string,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<ControlReply> {
  return new Promise((resolve, reject) => {
    const ends = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const socket = connect({ path: paths.torControl, signal: ends });
    const decoder = new ControlDecoder();
    const replies: ControlReply[] = [];
    const fail = (error: unknown): void => {
      socket.destroy();
      reject(signal.aborted ? aborted(signal) : unavailable(error, ends.aborted ? timeoutMs : undefined));
    };
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('it closed the connection')));
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      try {
        replies.push(...decoder.push(chunk).replies);
      } catch (error) {
        fail(error);
      }
      const [welcome, answer] = replies;
      if (welcome !== undefined && welcome.status !== 250) fail(refused('AUTHENTICATE', welcome));
      if (answer === undefined) return;
      resolve(answer);
      socket.destroy();
    });
    socket.write(`AUTHENTICATE\r\n${command}`);
  });
}

function unavailable(cause: unknown, timeoutMs: number | undefined): GatewayError {
  if (cause instanceof GatewayError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  const what = timeoutMs === undefined ? why : `no answer within ${timeoutMs} ms`;
  return new GatewayError(`tor does not answer on its control socket: ${what}`, {
    code: 'TorUnavailable',
    cause,
  });
}

function aborted(signal: AbortSignal): GatewayError {
  return new GatewayError('the question to tor was cancelled', {
    code: 'Aborted',
    retry: 'never',
    cause: signal.reason,
  });
}
