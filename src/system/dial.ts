import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { DIAL_BACK_MS, MAX_ANSWER_BYTES, MAX_PAYLOAD_BYTES, type RelayDialled } from '../core/relay.ts';

export interface Dial {
  /** Our own address to speak from; absent: whichever leads there. */
  readonly from?: string;
  readonly to: string;
  readonly port: number;
  readonly payload: Uint8Array;
  /** Over TCP: as many bytes back are enough. */
  readonly enough: number;
}

export interface Dialled {
  readonly outcome: RelayDialled['outcome'];
  readonly answer: Uint8Array;
}

const NOTHING = new Uint8Array();

/** Sends one datagram, and waits for one from where it went. Rejects only when aborted. */
export function dialUdp({ from, to, port, payload }: Dial, signal: AbortSignal): Promise<Dialled> {
  return settled(signal, (settle) => {
    const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', (answer, sender) => {
      if (sender.address !== to || sender.port !== port) return;
      settle({ outcome: 'answered', answer: answer.subarray(0, MAX_PAYLOAD_BYTES) });
    });
    socket.on('error', (error) => settle(outcomeOf(error)));
    // Connected, so that a port that is closed says so.
    socket.bind({ ...(from === undefined ? {} : { address: from }), port: 0, exclusive: true }, () =>
      socket.connect(port, to),
    );
    socket.on('connect', () => socket.send(payload));
    return () => socket.close();
  });
}

/** Connects, sends, and reads until it is enough, the far end is done, or the time is over. Rejects only when aborted. */
export function dialTcp(dial: Dial, signal: AbortSignal): Promise<Dialled> {
  const { from, to, port, payload, enough } = dial;
  return settled(signal, (settle, isLate) => {
    let answer = Buffer.alloc(0);
    const done = (): void => settle({ outcome: 'answered', answer: answer.subarray(0, MAX_ANSWER_BYTES) });
    const socket = connect({ host: to, port, ...(from === undefined ? {} : { localAddress: from }) });
    socket.on('connect', () => {
      // Whoever accepted has answered, also with nothing.
      isLate(done);
      socket.write(payload);
      if (enough === 0) done();
    });
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length >= Math.min(enough, MAX_ANSWER_BYTES)) done();
    });
    socket.on('end', done);
    socket.on('error', (error) => (answer.length > 0 ? done() : settle(outcomeOf(error))));
    return () => socket.destroy();
  });
}

/** `begin` returns what ends it; `isLate` says what counts when the time is over. */
function settled(
  signal: AbortSignal,
  begin: (settle: (dialled: Dialled) => void, isLate: (then: () => void) => void) => () => void,
): Promise<Dialled> {
  return new Promise((resolve, reject) => {
    let late = (): void => finish(() => resolve({ outcome: 'silent', answer: NOTHING }));
    const abort = (): void =>
      finish(() => reject(new GatewayError('dialling was cancelled', { code: 'Aborted', retry: 'never' })));
    const timer = setTimeout(() => late(), DIAL_BACK_MS);
    let isOver = false;
    let end: (() => void) | undefined;
    const finish = (act: () => void): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      end?.();
      act();
    };
    signal.addEventListener('abort', abort, { once: true });
    end = begin(
      (dialled) => finish(() => resolve(dialled)),
      (then) => (late = then),
    );
    if (signal.aborted) abort();
  });
}

function outcomeOf(error: Error): Dialled {
  const isRefused = errnoOf(error) === 'ECONNREFUSED';
  const isAway = ['EHOSTUNREACH', 'ETIMEDOUT', 'ECONNRESET'].includes(errnoOf(error) ?? '');
  return { outcome: isRefused ? 'refused' : isAway ? 'silent' : 'failed', answer: NOTHING };
}
