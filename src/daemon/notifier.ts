import type { Desired } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import {
  alertsOf,
  noticeOf,
  readTold,
  receiverName,
  undecidedIn,
  type Notice,
  type NoticeTested,
  type NotifySettings,
  type Receiver,
  type Situation,
} from '../core/notify.ts';
import { retryAfterMs } from '../core/retry.ts';
import type { TorInstance } from '../core/tor-instance.ts';
import type { Ports } from '../core/ports.ts';
import { believedAddresses } from '../core/home.ts';
import type { Engine } from '../engine/engine.ts';
import type { Store } from '../engine/store.ts';
import type { CertificateKeeper } from '../system/acme/keeper.ts';
import { Announced } from '../system/announced.ts';
import type { Paths } from '../system/directories.ts';
import type { Recorder } from './journal.ts';
import type { NodeWatch } from './node-watch.ts';
import type { RelayVantages } from './vantages.ts';
import { callAlive, tell } from '../system/alerts/tell.ts';

export interface NotifierOptions {
  readonly desired: () => Desired | undefined;
  readonly situation: () => Promise<Situation>;
  readonly announced: Announced;
  readonly now: () => number;
  /** The owner said `down`: what is closed then is no news. */
  readonly isDown: () => boolean;
  readonly socksOf: (instance: TorInstance) => string;
  readonly record: Recorder;
}

/** What begins together is told together. */
const GATHER_MS = 5000;
/** Nobody gets more messages than that, however much a line flaps. */
const LEAST_MS = 60_000;
const ALIVE_MS = 5 * 60_000;

interface Asked {
  /** Since when there is something to tell. */
  readonly sinceMs: number | undefined;
  readonly nextMs: number;
  readonly attempts: number;
  readonly trouble?: string;
}

const NEVER: Asked = { sinceMs: undefined, nextMs: 0, attempts: 0 };

/** Tells people what is wrong, and that it is over: once each, until they took it, and not more often than once a minute. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #asked = new Map<string, Asked>();
  #aliveMs = 0;
  #aliveTrouble: string | undefined;

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  async settle(signal: AbortSignal): Promise<void> {
    const { desired, announced, situation, now, isDown } = this.#options;
    const aim = desired();
    const settings = aim?.notify;
    if (aim === undefined || settings === undefined || isDown()) return;
    await this.#callAlive(settings, aim, signal);
    if (settings.to.length === 0) return;
    const found = await situation();
    const [alerts, undecided] = [alertsOf(found, settings, now()), undecidedIn(found)];
    const known = await announced.load();
    // All at once: one that hangs must not keep the others waiting.
    await Promise.all(
      settings.to.map(async (receiver) => {
        const name = receiverName(receiver);
        const notice = noticeOf(readTold(known.get(name)), alerts, undecided);
        if (this.#isDue(name, notice)) await this.#tell(receiver, name, notice, aim, signal);
      }),
    );
  }

  /** Sends everybody a message that says that it is only a test. */
  async test(signal: AbortSignal): Promise<NoticeTested[]> {
    const { desired, now } = this.#options;
    const aim = desired();
    const lines = [{ state: 'begins', kind: 'down', text: 'this is only a test: nothing is wrong' }] as const;
    const send = async (receiver: Receiver): Promise<NoticeTested> => {
      const name = shown(receiverName(receiver));
      if (aim === undefined) return { receiver: name, trouble: 'the gateway is down' };
      try {
        await tell(receiver, { lines, told: {} }, now(), this.#wayTo(placeOf(receiver), aim), signal);
        return { receiver: name, trouble: null };
      } catch (error) {
        if (!(error instanceof GatewayError) || signal.aborted) throw error;
        return { receiver: name, trouble: withHint(error) };
      }
    };
    return Promise.all((aim?.notify?.to ?? []).map(send));
  }

  /** Sentences for the owner: who could not be told. */
  remarks(): string[] {
    const troubles = [...this.#asked].flatMap(([name, { trouble }]) =>
      trouble === undefined ? [] : [`${shown(name)} was not told what is wrong: ${trouble}`],
    );
    return this.#aliveTrouble === undefined ? troubles : [...troubles, this.#aliveTrouble];
  }

  /** What came and went within seconds is not told; what failed is tried again later. */
  #isDue(name: string, notice: Notice | undefined): notice is Notice {
    const asked = this.#asked.get(name) ?? NEVER;
    const now = this.#options.now();
    if (notice === undefined) {
      if (asked.sinceMs !== undefined) this.#asked.set(name, { ...asked, sinceMs: undefined });
      return false;
    }
    const sinceMs = asked.sinceMs ?? now;
    this.#asked.set(name, { ...asked, sinceMs });
    return now - sinceMs >= GATHER_MS && now >= asked.nextMs;
  }

  async #tell(
    receiver: Receiver,
    name: string,
    notice: Notice,
    aim: Desired,
    signal: AbortSignal,
  ): Promise<void> {
    const { announced, now, record } = this.#options;
    try {
      const isNews = notice.lines.length > 0;
      if (isNews) await tell(receiver, notice, now(), this.#wayTo(placeOf(receiver), aim), signal);
      await announced.put(name, JSON.stringify(notice.told));
      this.#asked.set(name, { ...NEVER, nextMs: isNews ? now() + LEAST_MS : 0 });
      if (isNews)
        record('notice.sent', `${shown(name)} was told: ${linesOf(notice)}`, { receiver: shown(name) });
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted) throw error;
      const attempts = (this.#asked.get(name)?.attempts ?? 0) + 1;
      const trouble = `${withHint(error)}; it is tried again`;
      this.#asked.set(name, { sinceMs: 0, attempts, nextMs: now() + retryAfterMs(attempts), trouble });
    }
  }

  async #callAlive({ alive }: NotifySettings, aim: Desired, signal: AbortSignal): Promise<void> {
    const { now } = this.#options;
    if (alive === undefined || now() < this.#aliveMs) return;
    this.#aliveMs = now() + ALIVE_MS;
    const { host, hostname } = new URL(alive);
    try {
      await callAlive(alive, this.#wayTo(hostname, aim), signal);
      this.#aliveTrouble = undefined;
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted) throw error;
      this.#aliveMs = now() + LEAST_MS;
      this.#aliveTrouble = `${host} was not told that this gateway runs: ${error.message}`;
    }
  }

  /**
   *   a service is tor-only | receiver     | sent
   *   ----------------------+--------------+------------------------------------
   *   yes                   | any          | through the tor of those services
   *   no                    | an onion     | through the other tor
   *   no                    | any other    | directly
   */
  #wayTo(host: string, { services }: Desired): { readonly socksSocket?: string } {
    const { socksOf } = this.#options;
    if (services.some(({ privacy }) => privacy === 'tor-only')) return { socksSocket: socksOf('tor-only') };
    return host.endsWith('.onion') ? { socksSocket: socksOf('tor') } : {};
  }
}

function withHint({ message, hint }: GatewayError): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

function placeOf(receiver: Receiver): string {
  if (receiver.by === 'command') return '';
  return receiver.by === 'mail' ? receiver.server.replace(/:\d+$/, '') : new URL(receiver.url).hostname;
}

function linesOf({ lines }: Notice): string {
  return lines.map(({ state, text }) => (state === 'ends' ? `over: ${text}` : text)).join('; ');
}

/** A topic or a webhook's path may be a secret. */
function shown(name: string): string {
  return name.replace(/^(\w+ https?:\/\/[^/]+).*$/, '$1');
}

export interface NotifierPieces {
  readonly paths: Paths;
  readonly store: Pick<Store, 'isDown' | 'devices'>;
  readonly ports: Pick<Ports, 'home' | 'now' | 'log'>;
  readonly engine: Pick<Engine, 'desired' | 'fallbacks'>;
  readonly certifier: Pick<CertificateKeeper, 'kept'>;
  readonly vantages: Pick<RelayVantages, 'lost' | 'knows'>;
  readonly nodeWatch: Pick<NodeWatch, 'found'>;
  readonly record: Recorder;
}

export function createNotifier(pieces: NotifierPieces): Notifier {
  const { paths, store, ports, engine, certifier, record, vantages, nodeWatch } = pieces;
  const lost = 'everybody is told again what is wrong';
  return new Notifier({
    desired: () => engine.desired,
    situation: async () => ({
      services: engine.fallbacks.all(),
      certificates: (await certifier.kept()).map(({ report }) => report),
      locked: [...nodeWatch.found()].flatMap(([name, { status }]) => (status === 'no' ? [name] : [])),
      lostRelays: vantages.lost(),
      unasked: unaskedIn(engine.desired, vantages, nodeWatch),
      hasTunnels: store.devices().some(({ publicKey }) => publicKey !== undefined),
      address: believedAddresses(ports.home.addresses()).ipv4,
    }),
    announced: new Announced(paths.notified, ports.log, lost),
    now: ports.now,
    isDown: () => store.isDown(),
    socksOf: (instance) => paths.ofTor(instance).torSocks,
    record,
  });
}

function unaskedIn(
  desired: Desired | undefined,
  vantages: Pick<RelayVantages, 'knows'>,
  nodeWatch: Pick<NodeWatch, 'found'>,
): string[] {
  const { relays = [], services = [] } = desired ?? {};
  const watched = services.filter(({ kind, node }) => kind === 'lnd' && node !== undefined);
  const nodes = watched.filter(
    ({ name }) => (nodeWatch.found().get(name)?.status ?? 'unknown') === 'unknown',
  );
  return [...relays.filter(({ name }) => !vantages.knows(name)), ...nodes].map(({ name }) => name);
}
