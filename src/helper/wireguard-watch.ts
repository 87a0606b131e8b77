import { connect, type Socket } from 'node:net';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Network } from '../core/service.ts';
import { hostBlocks } from '../core/ula.ts';
import { OPERATIONS, type OperationArguments, type OperationName } from '../core/operations.ts';
import { isWholeAnswer, parseUapi, type RunningWireguard, UAPI_GET } from '../wire/wireguard-uapi.ts';
import { type PeerConf, wakeAt } from '../wire/wireguard-peers.ts';
import { readApplied } from './applied-file.ts';
import type { HelperEnvironment } from './environment.ts';
import { execute } from './operations.ts';
import type { TakeTurn } from './queue.ts';
import { dumpInterface, findWireguardLinks } from './wireguard-links.ts';
import { isSession } from './wireguard-endpoints.ts';
import { socketOf } from './wireguard-go.ts';
import { addPeers, silencePeers } from './wireguard-peers.ts';

type Made = Pick<OperationArguments<'wireguard.ensure'>, 'network' | 'name' | 'address' | 'endpoint'>;

interface Watched {
  made: Made;
  readonly socket: Socket;
  /** What it runs with, as it said last; secret. */
  running: RunningWireguard | undefined;
  timer: NodeJS.Timeout | undefined;
  askedAt: number;
  pauseMs: number;
}

/**
 * Asking costs time that grows with the peers, and so does the pause: a hundredth of a core at most, with thousands. It
 * doubles while the answers are the same, byte counts too: then nobody sent anything, and nobody is anywhere else.
 */
const LEAST_PAUSE_MS = 2000;
const MOST_PAUSE_MS = 16_000;
const PAUSE_FACTOR = 100;
/** Changes come in groups. */
const SETTLE_MS = 100;
const SILENCE_MS = 3000;
/** What ends again so soon is left to the daemon's passes, which say what is wrong. */
const LEAST_LIFE_MS = 3000;

/**
 * Makes the interface anew as soon as its wireguard-go ends, without the daemon: an open connection to the process costs
 * nothing and closes the moment it dies. A phone in the middle of a download would otherwise wait for the next pass and
 * then 15 s more, until it begins a new session by itself; so every peer is sent a packet to where it was last.
 */
export class WireguardWatch {
  readonly #environment: HelperEnvironment;
  readonly #takeTurn: TakeTurn;
  readonly #signal: AbortSignal;
  readonly #watched = new Map<string, Watched>();
  readonly #remadeAt = new Map<string, number>();

  constructor(environment: HelperEnvironment, takeTurn: TakeTurn, signal: AbortSignal) {
    this.#environment = environment;
    this.#takeTurn = takeTurn;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#watched.forEach(stop), { once: true });
  }

  /** What ran before this helper did. */
  async adopt(): Promise<void> {
    await this.#attempt('what runs could not be watched', async () => {
      const applied = await readApplied(this.#environment.paths.applied);
      if (applied === undefined) return;
      for (const link of await findWireguardLinks(applied.network, this.#signal)) {
        const { name, place, implementation, alias, addresses } = link;
        const [address] = (addresses[0] ?? '').split('/');
        if (place !== 'hub' || implementation !== 'wireguard-go' || alias === undefined) continue;
        if (address === undefined || address === '') continue;
        const made = { network: applied.network, name, address, endpoint: alias.endpoint };
        this.#watch(made);
        this.#silenceLater(made);
      }
    });
  }

  /** An operation was executed; called before the next one begins. */
  after(operation: OperationName, input: unknown): void {
    if (operation === 'wireguard.ensure') this.#watch(OPERATIONS[operation].input.parse(input));
    if (operation === 'wireguard.remove') this.#forget(OPERATIONS[operation].input.parse(input).name);
    if (operation === 'wireguard.setPeers' || operation === 'wireguard.removePeer') {
      for (const watched of this.#watched.values()) this.#askIn(SETTLE_MS, watched);
    }
    if (operation === 'wireguard.setPeers') this.#silenceLater(OPERATIONS[operation].input.parse(input));
  }

  /** Not at once: a wireguard-go that was just started may go down and up again and then needs the keepalive to begin. */
  #silenceLater({ network, name }: Pick<Made, 'network' | 'name'>): void {
    const silence = (): Promise<void> =>
      this.#takeTurn('network', () =>
        this.#attempt(`keepalives of ${name} stay on`, () =>
          silencePeers(network, name, this.#environment, this.#signal),
        ),
      );
    setTimeout(() => void silence(), SILENCE_MS).unref();
  }

  #watch(made: Made): void {
    const before = this.#watched.get(made.name);
    if (before !== undefined && !before.socket.destroyed) {
      before.made = made;
      return this.#askIn(SETTLE_MS, before);
    }
    if (this.#signal.aborted) return;
    const socket = connect(socketOf(made.name));
    const watched: Watched = { made, socket, running: undefined, timer: undefined, askedAt: 0, pauseMs: 0 };
    this.#watched.set(made.name, watched);
    this.#listen(watched);
    this.#askIn(0, watched);
  }

  #listen(watched: Watched): void {
    const { socket, made } = watched;
    let isConnected = false;
    let answer = '';
    let before = '';
    socket.setEncoding('utf8');
    socket.on('connect', () => (isConnected = true));
    // The kernel's WireGuard has no process and no socket.
    socket.on('error', (error) => this.#log('debug', made.name, messageOf(error)));
    socket.on('data', (text: string) => {
      answer += text;
      if (!isWholeAnswer(answer)) return;
      watched.running = parseUapi(answer) ?? watched.running;
      const isSame = answer === before;
      [before, answer] = [answer, ''];
      watched.pauseMs = Math.min(isSame ? 2 * watched.pauseMs : LEAST_PAUSE_MS, MOST_PAUSE_MS);
      const tookMs = performance.now() - watched.askedAt;
      this.#askIn(Math.max(watched.pauseMs, PAUSE_FACTOR * tookMs), watched);
    });
    socket.on('close', () => {
      clearTimeout(watched.timer);
      if (this.#watched.get(made.name) !== watched) return;
      if (isConnected) this.#lost(watched);
      else this.#watched.delete(made.name);
    });
  }

  #askIn(delayMs: number, watched: Watched): void {
    clearTimeout(watched.timer);
    const ask = (): void => {
      watched.askedAt = performance.now();
      watched.socket.write(UAPI_GET);
    };
    watched.timer = setTimeout(ask, delayMs).unref();
  }

  #lost(watched: Watched): void {
    const { name } = watched.made;
    void this.#takeTurn('network', () =>
      this.#attempt(`${name} could not be made anew`, async () => {
        // Removed on purpose meanwhile, or made anew by the daemon.
        if (this.#watched.get(name) === watched) await this.#remake(watched);
      }),
    );
  }

  async #remake({ made, running }: Watched): Promise<void> {
    const { network, name } = made;
    this.#watched.delete(name);
    const startedAt = performance.now();
    const link = (await findWireguardLinks(network, this.#signal)).find((each) => each.name === name);
    if (link !== undefined && (await dumpInterface(network, link, this.#signal)) !== undefined) {
      return this.#watch(made);
    }
    if (startedAt - (this.#remadeAt.get(name) ?? -Infinity) < LEAST_LIFE_MS) return;
    this.#remadeAt.set(name, startedAt);
    if (running?.privateKey === undefined) return;
    const { privateKey, listenPort } = running;
    await execute('wireguard.ensure', { ...made, privateKey, listenPort }, this.#environment, this.#signal);
    await addPeers(network, name, await this.#allowed(network, running), this.#environment, this.#signal);
    const tookMs = Math.round(performance.now() - startedAt);
    this.#environment.log('warn', 'a WireGuard interface lost its process and was made anew', {
      name,
      tookMs,
    });
    this.#watch(made);
    this.#silenceLater(made);
  }

  /** Only who is still allowed in: one may have been revoked since the process was asked last. */
  async #allowed(network: Network, { peers }: RunningWireguard): Promise<PeerConf[]> {
    const applied = await readApplied(this.#environment.paths.applied);
    const addresses = new Map(applied?.devices.map(({ publicKey, address }) => [publicKey, address]));
    return peers.flatMap(({ publicKey, presharedKey, endpoint, latestHandshake }) => {
      const address = addresses.get(publicKey);
      if (address === undefined || presharedKey === undefined) return [];
      const last = isSession(latestHandshake, Date.now() / 1000) ? endpoint : undefined;
      return [{ publicKey, presharedKey, allowedIps: hostBlocks(network, address), ...wakeAt(last) }];
    });
  }

  #forget(name: string): void {
    const watched = this.#watched.get(name);
    this.#watched.delete(name);
    if (watched !== undefined) stop(watched);
  }

  /** Nobody waits for it, and the daemon's next pass does the same. */
  async #attempt(what: string, task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      const isOurs = error instanceof GatewayError;
      if (isOurs && this.#signal.aborted) return;
      this.#environment.log('error', what, { why: isOurs ? error.message : String(error) });
    }
  }

  #log(level: 'debug', name: string, why: string): void {
    this.#environment.log(level, 'no process of WireGuard to watch', { interface: name, why });
  }
}

function stop({ socket, timer }: Watched): void {
  clearTimeout(timer);
  socket.destroy();
}
