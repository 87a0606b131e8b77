import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { GatewayError, messageOf } from '../core/errors.ts';
import { parseStunAnswer, renderStunRequest, type StunAddress, type StunAnswer } from '../wire/stun.ts';

/** In the words of RFC 4787. */
export type NatRule = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent' | 'unknown';

export interface NatBehaviour {
  /** Where the server saw us. */
  readonly mapped: StunAddress;
  /** When does another destination see another port of ours? */
  readonly mapping: NatRule;
  /** Who gets an answer through, once we spoke to somebody? */
  readonly filtering: NatRule;
  /** The port outside is the one inside. */
  readonly isPortKept: boolean;
}

/** First wait and number of tries: the wait doubles (RFC 8489 6.2.1), 3.5 s in all. */
const FIRST_WAIT_MS = 500;
const TRIES = 3;

interface Change {
  readonly address: boolean;
  readonly port: boolean;
}
const SAME: Change = { address: false, port: false };

/** Our own address as a server sees it; `undefined` when it does not answer. `host` is an address. */
export function askStun(server: StunAddress, signal: AbortSignal): Promise<StunAnswer | undefined> {
  return withSocket(server, signal, (asker) => asker.ask(server, SAME));
}

/**
 * How the NATs on the way behave (RFC 5780 4.3 and 4.4): seven packets at the most. `undefined` when the server does not
 * answer; `unknown` where it has no second address.
 */
export async function natBehaviour(
  server: StunAddress,
  signal: AbortSignal,
): Promise<NatBehaviour | undefined> {
  const mapping = await withSocket(server, signal, (asker) => mappingOf(server, asker));
  if (mapping === undefined) return undefined;
  // On a socket that spoke to nobody but the first address.
  const filtering = mapping.hasOther
    ? await withSocket(server, signal, (asker) => filteringOf(server, asker))
    : 'unknown';
  const { mapped, rule, localPort } = mapping;
  return { mapped, mapping: rule, filtering, isPortKept: mapped.port === localPort };
}

async function mappingOf(server: StunAddress, asker: Asker) {
  const first = await asker.ask(server, SAME);
  if (first === undefined) return undefined;
  const { mapped, other } = first;
  const found = { mapped, localPort: asker.localPort };
  if (other === undefined) return { ...found, hasOther: false, rule: 'unknown' as const };
  const rule = await mappingRule(server, first, other, asker);
  return { ...found, hasOther: true, rule };
}

/**
 * seen from the other address | … and from its other port | mapping
 * ----------------------------+---------------------------+----------------------------
 * the same                    | –                         | endpoint-independent
 * another                     | as from its first port    | address-dependent
 * another                     | yet another               | address-and-port-dependent
 * no answer                   | –                         | unknown
 */
async function mappingRule(
  server: StunAddress,
  first: StunAnswer,
  other: StunAddress,
  asker: Asker,
): Promise<NatRule> {
  const second = await asker.ask({ host: other.host, port: server.port }, SAME);
  if (second === undefined) return 'unknown';
  if (isSame(second.mapped, first.mapped)) return 'endpoint-independent';
  const third = await asker.ask(other, SAME);
  if (third === undefined) return 'unknown';
  return isSame(third.mapped, second.mapped) ? 'address-dependent' : 'address-and-port-dependent';
}

async function filteringOf(server: StunAddress, asker: Asker): Promise<NatRule> {
  if ((await asker.ask(server, SAME)) === undefined) return 'unknown';
  // Both at once: neither answer lets the other in, and waiting for what does not come is what takes long.
  const [fromElsewhere, fromPort] = await Promise.all([
    asker.ask(server, { address: true, port: true }),
    asker.ask(server, { address: false, port: true }),
  ]);
  if (fromElsewhere !== undefined) return 'endpoint-independent';
  return fromPort === undefined ? 'address-and-port-dependent' : 'address-dependent';
}

function isSame(a: StunAddress, b: StunAddress): boolean {
  return a.host === b.host && a.port === b.port;
}

/** Only an answer with the transaction that was asked counts; where it comes from is part of the question. */
class Asker {
  readonly #socket: Socket;
  readonly #signal: AbortSignal;

  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
  }

  get localPort(): number {
    return this.#socket.address().port;
  }

  ask(server: StunAddress, change: Change): Promise<StunAnswer | undefined> {
    const transaction = Uint8Array.from(randomBytes(12));
    const request = renderStunRequest({
      transaction,
      changeAddress: change.address,
      changePort: change.port,
    });
    return new Promise((resolve, reject) => {
      let tried = 0;
      let timer: NodeJS.Timeout | undefined;
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        this.#socket.off('message', listen);
        this.#signal.removeEventListener('abort', abort);
        act();
      };
      const abort = (): void => finish(() => reject(aborted()));
      const listen = (data: Uint8Array): void => {
        const answer = parseStunAnswer(data);
        if (answer !== undefined && Buffer.compare(answer.transaction, transaction) === 0) {
          finish(() => resolve(answer));
        }
      };
      const send = (): void => {
        if (tried === TRIES) return finish(() => resolve(undefined));
        // A network that is away now may be there at the next try.
        this.#socket.send(request, server.port, server.host, () => undefined);
        timer = setTimeout(send, FIRST_WAIT_MS * 2 ** tried);
        tried += 1;
        return undefined;
      };
      this.#socket.on('message', listen);
      this.#signal.addEventListener('abort', abort, { once: true });
      if (this.#signal.aborted) abort();
      else send();
    });
  }
}

async function withSocket<Result>(
  server: StunAddress,
  signal: AbortSignal,
  use: (asker: Asker) => Promise<Result>,
): Promise<Result> {
  const socket = createSocket(isIP(server.host) === 6 ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (cause) =>
        reject(
          new GatewayError(`no UDP socket for STUN: ${messageOf(cause)}`, { code: 'CommandFailed', cause }),
        ),
      );
      socket.bind(0, resolve);
    });
    // ICMP errors come here too: silence, which the tries are for.
    socket.on('error', () => undefined);
    return await use(new Asker(socket, signal));
  } finally {
    socket.close();
  }
}

function aborted(): GatewayError {
  return new GatewayError('STUN was not waited for', { code: 'Aborted', retry: 'never' });
}
