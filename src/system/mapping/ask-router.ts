import { createSocket } from 'node:dgram';
import { GatewayError, errnoOf, messageOf } from '../../core/errors.ts';
import { MappingError } from '../../core/mapping.ts';

export interface RouterQuestion<Answer> {
  readonly router: string;
  /** Our address that it comes from; left out: what the kernel chooses. */
  readonly from?: string;
  readonly port: number;
  readonly bytes: Uint8Array;
  /** `undefined` for what answers something else: the wait goes on. */
  readonly accept: (bytes: Uint8Array) => Answer | undefined;
  /** 'NAT-PMP', for messages. */
  readonly protocol: string;
  /** How often it is sent at most. */
  readonly sends: number;
}

/** RFC 6886 3.1 and RFC 6887 8.1.1 with its shortest start: 250 ms, doubled each time. */
const FIRST_WAIT_MS = 250;
/** Who answers so much with what is no answer is not asked further. */
const MOST_ANSWERS = 64;

/**
 * Asks over UDP and waits for the answer. The socket is connected, so that the kernel drops whatever does not come from
 * the address and the port that were asked, and tells when nothing listens there.
 */
export function askRouter<Answer>(question: RouterQuestion<Answer>, signal: AbortSignal): Promise<Answer> {
  const { router, port, bytes, accept, protocol, from } = question;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(aborted(router, signal));
    const socket = createSocket(router.includes(':') ? 'udp6' : 'udp4');
    let timer: NodeJS.Timeout | undefined;
    let sent = 0;
    let heard = 0;
    const end = (act: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.removeAllListeners().on('error', () => undefined);
      socket.close();
      act();
    };
    const abort = (): void => end(() => reject(aborted(router, signal)));
    const fail = (error: unknown): void => end(() => reject(failure(question, error)));
    const send = (): void => {
      if (sent === question.sends) return end(() => reject(silent(question)));
      // A failure comes as an event too: ECONNREFUSED is what the router said to the packet before.
      socket.send(bytes, (error) => (error === null ? undefined : fail(error)));
      timer = setTimeout(send, FIRST_WAIT_MS * 2 ** sent);
      sent += 1;
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.on('error', fail);
    socket.on('connect', send);
    socket.on('message', (message) => {
      heard += 1;
      const answer = accept(message);
      if (answer !== undefined) return end(() => resolve(answer));
      if (heard === MOST_ANSWERS) fail(new Error(`it sent ${heard} answers to something else (${protocol})`));
    });
    if (from === undefined) socket.connect(port, router);
    else socket.bind({ address: from }, () => socket.connect(port, router));
  });
}

function silent({ router, protocol, sends }: RouterQuestion<unknown>): MappingError {
  return new MappingError(`${router} does not answer ${protocol} (asked ${sends} times)`, {
    refusal: 'silent',
  });
}

function failure({ router, port, protocol }: RouterQuestion<unknown>, error: unknown): MappingError {
  if (errnoOf(error) === 'ECONNREFUSED') {
    return new MappingError(`${router} does not speak ${protocol}: nothing listens on its UDP port ${port}`, {
      refusal: 'unsupported',
      cause: error,
    });
  }
  return new MappingError(`${router} cannot be asked by ${protocol}: ${messageOf(error)}`, {
    refusal: 'silent',
    cause: error,
  });
}

function aborted(router: string, signal: AbortSignal): GatewayError {
  return new GatewayError(`asking ${router} was cancelled`, {
    code: 'Aborted',
    retry: 'never',
    cause: signal.reason,
  });
}
