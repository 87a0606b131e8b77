import { createHash, timingSafeEqual } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import type { z } from 'zod';
import { GatewayError, messageOf } from '../core/errors.ts';
import { parseEndpoint } from '../core/inet.ts';
import {
  HOLD_KEEPALIVE_MS,
  MAX_REPLY_BYTES,
  type RELAY_FAILURES,
  RelayAnswer,
  type RelayRequest,
} from '../core/relay.ts';

export interface RelayPlace {
  /** `host:port` */
  readonly address: string;
  /** SHA-256 of its certificate, base64url. */
  readonly fingerprint: string;
  /** Of the connection, for a name that has both. */
  readonly family?: 4 | 6 | undefined;
}

const ASK_MS = 10_000;
const SEE_LOG = 'see the log of the relay';
const HINTS: Readonly<Record<(typeof RELAY_FAILURES)[number], string>> = {
  refused: 'join it again, with a new invite: gateway relay invite there, gateway relay join INVITE here',
  unsupported: 'see how it was started: without --probe-only it carries visitors, gateway relay up',
  busy: SEE_LOG,
  malformed: SEE_LOG,
  failed: SEE_LOG,
};

/**
 * One question to a relay, which is told nothing before its certificate is the one that we know. Rejects with
 * `RelayUnreachable` when it does not answer as a relay does, and with `RelayRefused` when it will not.
 */
export async function askRelay<Shape extends z.ZodType>(
  place: RelayPlace,
  request: RelayRequest,
  shape: Shape,
  signal: AbortSignal,
): Promise<z.infer<Shape>> {
  return valueOf(place, await exchange(place, request, signal), shape);
}

/**
 * The same, but the connection stays. Resolves when it broke: the line in between was cut, or has another address now; the
 * relay may have ended, too. `held` is told what the relay said first.
 */
export async function holdRelay<Shape extends z.ZodType>(
  place: RelayPlace,
  request: RelayRequest,
  shape: Shape,
  held: (value: z.infer<Shape>) => void,
  signal: AbortSignal,
): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const line = await exchange(place, request, signal, () => ended.resolve());
  held(valueOf(place, line, shape));
  await ended.promise;
}

function valueOf<Shape extends z.ZodType>(place: RelayPlace, line: string, shape: Shape): z.infer<Shape> {
  const answer = answerOf(line);
  if (answer?.ok === false) {
    throw new GatewayError(`the relay at ${place.address} refused: ${plain(answer.message)}`, {
      code: 'RelayRefused',
      retry: answer.failure === 'refused' ? 'when-changed' : 'backoff',
      hint: HINTS[answer.failure],
    });
  }
  const value = shape.safeParse(answer?.value);
  if (value.success) return value.data;
  throw unreachable(place, 'it does not answer as a relay does');
}

/** With `ended` the connection stays after the answer, until it breaks, is spoken on, or the signal aborts. */
function exchange(
  place: RelayPlace,
  request: RelayRequest,
  signal: AbortSignal,
  ended?: () => void,
): Promise<string> {
  const endpoint = parseEndpoint(place.address);
  if (endpoint === undefined) return Promise.reject(unreachable(place, 'that is no address'));
  return new Promise((resolve, reject) => {
    // The fingerprint is what is checked, before a byte is sent: no authority and no name has a say.
    const socket = connect({
      host: endpoint.host,
      port: endpoint.port,
      ...(place.family === undefined ? {} : { family: place.family }),
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
    });
    const finish = (act: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.destroy();
      act();
    };
    const fail = (why: string, cause?: unknown): void => finish(() => reject(unreachable(place, why, cause)));
    const abort = (): void =>
      finish(() =>
        reject(new GatewayError('the relay was not waited for', { code: 'Aborted', retry: 'never' })),
      );
    const timer = setTimeout(() => fail(`it did not answer within ${ASK_MS / 1000} s`), ASK_MS);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) return abort();
    let answer = '';
    socket.on('secureConnect', () => {
      if (isKnown(socket, place.fingerprint)) socket.write(`${JSON.stringify(request)}\n`);
      else fail('its certificate is not the one that was joined');
    });
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (answer.length > MAX_REPLY_BYTES) return fail('its answer is too long');
      const end = answer.indexOf('\n');
      if (end < 0) return undefined;
      if (ended === undefined) return finish(() => resolve(answer.slice(0, end)));
      clearTimeout(timer);
      keep(socket, () => {
        signal.removeEventListener('abort', abort);
        ended();
      });
      return resolve(answer.slice(0, end));
    });
    socket.on('error', (error) => fail(messageOf(error), error));
    socket.on('close', () => fail('it closed the connection'));
    return undefined;
  });
}

/** Nothing is said on it but empty packets, by which either end learns that the other is gone. */
function keep(socket: TLSSocket, ended: () => void): void {
  socket.removeAllListeners('data').on('data', () => socket.destroy());
  socket.setKeepAlive(true, HOLD_KEEPALIVE_MS);
  socket.on('close', ended);
}

function isKnown(socket: TLSSocket, fingerprint: string): boolean {
  const { raw } = socket.getPeerCertificate() as { raw?: Buffer };
  const found = createHash('sha256')
    .update(raw ?? '')
    .digest();
  const known = Buffer.from(fingerprint, 'base64url');
  return raw !== undefined && found.length === known.length && timingSafeEqual(found, known);
}

function answerOf(line: string): RelayAnswer | undefined {
  try {
    return RelayAnswer.safeParse(JSON.parse(line)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

function unreachable({ address }: RelayPlace, why: string, cause?: unknown): GatewayError {
  return new GatewayError(`the relay at ${address} cannot be used: ${plain(why)}`, {
    code: 'RelayUnreachable',
    hint: 'see whether it runs, and whether its firewall lets TCP in on this port',
    cause,
  });
}
