import { createSocket, type Socket } from 'node:dgram';
import { addressTowards } from '../address-towards.ts';
import {
  BRIEF_ROUNDS,
  encodeSearch,
  isGatewayTarget,
  parseSsdp,
  SEARCH_ROUNDS,
  SSDP_GROUP,
  SSDP_GROUP_V6,
  SSDP_PORT,
  type SsdpMessage,
} from '../../wire/ssdp.ts';

/** When a round is sent, in milliseconds from the start: one packet for each target, to the router and to the group. */
const SEND_AT_MS = [0, 400, 1200] as const;

export interface Search {
  readonly router: string;
  /** It answered nothing so far: it is asked less. */
  readonly isBrief?: boolean;
  /** Not in this network: no group reaches it. */
  readonly isFar?: boolean;
}
const SEARCH_MS = 2500;
/** Answers of one router; more is noise, or an attack. */
const MOST_ANSWERS = 32;

/**
 * Descriptions that a router has, each once, as they come in. Both ways at once: some routers answer only what is sent to
 * the group, others only what is sent to themselves, and a host's firewall may drop the answer to a question to the
 * group unless the router was spoken to (tailscale #3197, Eero). Answers count from any port (a TP-Link ER605 does not
 * answer from 1900, tailscale #7377) but only from the router's address: anything in a home may answer, a television, or
 * a second router that is not on the way (RFC 6886 9.8).
 */
export async function* searchRouter(
  search: Search,
  signal: AbortSignal,
): AsyncGenerator<SsdpMessage, void, undefined> {
  const { router } = search;
  const socket = createSocket(router.includes(':') ? 'udp6' : 'udp4');
  const answers = new Answers(router);
  socket.on('message', (text, from) => answers.take(text, from.address));
  // No route, or a network that is down: nobody will answer, which is what the end of the search says.
  const end = (): void => answers.end();
  socket.on('error', end);
  const timers = [setTimeout(end, SEARCH_MS)];
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    await towards(socket, router);
    const rounds = search.isBrief === true ? BRIEF_ROUNDS : SEARCH_ROUNDS;
    if (!answers.isOver) {
      const sends = rounds.map((targets, round) =>
        setTimeout(() => send(socket, search, targets), SEND_AT_MS[round]),
      );
      timers.push(...sends);
    }
    for (;;) {
      const next = await answers.next();
      if (next === undefined) return;
      yield next;
    }
  } finally {
    timers.forEach(clearTimeout);
    signal.removeEventListener('abort', end);
    socket.removeAllListeners().on('error', () => undefined);
    socket.close();
  }
}

/** What came from the router, each description once, until somebody takes it. */
class Answers {
  readonly #router: string;
  readonly #found: SsdpMessage[] = [];
  readonly #seen = new Set<string>();
  #wake = (): void => undefined;
  #isOver = false;

  constructor(router: string) {
    this.#router = router;
  }

  take(text: Buffer, from: string): void {
    const message = from === this.#router ? parseSsdp(text.toString('latin1')) : undefined;
    if (message?.kind !== 'answer' || !isGatewayTarget(message.target)) return;
    if (this.#seen.has(message.location) || this.#seen.size >= MOST_ANSWERS) return;
    this.#seen.add(message.location);
    this.#found.push(message);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** `undefined`: no more will come. */
  async next(): Promise<SsdpMessage | undefined> {
    if (this.#found.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#found.shift();
  }
}

/** Questions to the group leave where the router is, also on a machine with several networks. */
async function towards(socket: Socket, router: string): Promise<void> {
  const address = await addressTowards(router);
  // An address that went meanwhile ends the search, as any error of the socket does.
  const isBound = await new Promise<boolean>((resolve) =>
    socket.once('error', () => resolve(false)).bind(0, address, () => resolve(true)),
  );
  if (isBound && address !== undefined && !router.includes(':')) socket.setMulticastInterface(address);
}

function send(socket: Socket, { router, isFar = false }: Search, targets: readonly string[]): void {
  // What cannot be sent is not answered, and nothing more follows from it.
  const ignore = (): void => undefined;
  const group = router.includes(':') ? SSDP_GROUP_V6 : SSDP_GROUP;
  const zone = /%.*$/.exec(router)?.[0] ?? '';
  for (const target of targets) {
    const packet = encodeSearch(target, 1, group);
    socket.send(packet, SSDP_PORT, router, ignore);
    if (!isFar) socket.send(packet, SSDP_PORT, `${group}${zone}`, ignore);
  }
}
