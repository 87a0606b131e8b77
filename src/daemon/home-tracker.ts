import { ADDRESS_SOURCES, type AddressSource, type HomeAddress } from '../core/home.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Home, Log } from '../core/ports.ts';
import type { Recorder } from './journal.ts';

/** What somebody outside this machine is asked; resolves with nothing when nobody answers. */
export type AddressAsker = (signal: AbortSignal) => Promise<readonly HomeAddress[]>;

export interface HomeTrackerOptions {
  /** Public addresses on our own interfaces; asks nobody. */
  readonly interfaces: () => readonly HomeAddress[];
  /** Changes when an interface, address or default route does; asks nobody. */
  readonly fingerprint: () => string;
  /** Who else knows, by what they are. */
  readonly askers: Readonly<Partial<Record<Exclude<AddressSource, 'interface'>, AddressAsker>>>;
  readonly now: () => number;
  readonly log: Log;
  readonly record: Recorder;
  /** Whoever uses the address looks again. */
  readonly changed: () => void;
  /** A relay sees us somewhere else than before; others may not know yet. */
  readonly moved?: (address: HomeAddress) => void;
}

/** Our own machine is looked at this often, which costs two small reads and no packet. */
const LOOK_MS = 2000;
/** Nobody else is asked more often while nothing happens … */
const STEADY_MS = 60_000;
/** … nor, however often something does. */
const LEAST_MS = 5000;
/** So long everybody is asked as often as may be: after a change not all of them know it at the same moment. */
const HURRY_MS = 20_000;
const ASK_TIMEOUT_MS = 20_000;
/** What was not confirmed for so long is forgotten. */
const STALE_MS = 10 * 60_000;

interface Heard {
  readonly addresses: readonly HomeAddress[];
  readonly atMs: number;
}

/** Where the home is on the internet, from everybody who can tell. They may differ: all are kept, and who said it. */
export class HomeTracker implements Home {
  readonly #options: HomeTrackerOptions;
  readonly #abort = new AbortController();
  readonly #heard = new Map<AddressSource, Heard>();
  /** By address. */
  readonly #cameIn = new Map<string, boolean>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #told: string | undefined;
  #askedAt = -Infinity;
  #hurryUntil = -Infinity;
  /** Where a relay saw us last that had seen us elsewhere before. */
  #moved: { readonly address: HomeAddress; readonly atMs: number } | undefined;
  #fingerprint: string | undefined;

  constructor(options: HomeTrackerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#tick();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Who sees us from farthest outside first. */
  addresses(): readonly HomeAddress[] {
    const { interfaces, now } = this.#options;
    return ADDRESS_SOURCES.flatMap((source) => {
      if (source === 'interface') return interfaces().map((found) => this.#withVisits(found));
      const heard = this.#heard.get(source);
      return heard === undefined || now() - heard.atMs > STALE_MS ? [] : heard.addresses;
    });
  }

  cameIn(address: string, isIn: boolean): void {
    this.#cameIn.set(address, isIn);
    this.#compare();
  }

  #withVisits(found: HomeAddress): HomeAddress {
    const cameIn = found.family === 6 ? this.#cameIn.get(found.address) : undefined;
    return cameIn === undefined ? found : { ...found, cameIn };
  }

  /** Somebody told us in passing: a relay sees us whenever it is asked anything. Replaces what it said of this family. */
  hear(address: HomeAddress): void {
    const { now } = this.#options;
    const before = this.#heard.get(address.source)?.addresses ?? [];
    // Two relays may see two lines of ours.
    if (before.some((known) => known.address === address.address)) return;
    const others = before.filter(({ family }) => family !== address.family);
    this.#heard.set(address.source, { addresses: [...others, address], atMs: now() });
    if (others.length < before.length) {
      this.hurry();
      this.#moved = { address, atMs: now() };
      this.#options.moved?.(address);
    }
    this.#compare();
  }

  /** Something may have changed that this machine itself does not see. */
  hurry(): void {
    this.#hurryUntil = this.#options.now() + HURRY_MS;
  }

  async #tick(): Promise<void> {
    await this.#look().catch((error: unknown) => this.#explain(error));
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#tick();
    }, LOOK_MS);
  }

  /**
   * since the last question | something changed      | everybody is asked
   * ------------------------+------------------------+-------------------
   * less than 5 s           | either                 | no
   * less than a minute      | no                     | no
   * less than a minute      | yes                    | yes
   * more                    | either                 | yes
   */
  async #look(): Promise<void> {
    const { fingerprint, now } = this.#options;
    const found = fingerprint();
    const isMoved = this.#fingerprint !== found || now() < this.#hurryUntil;
    const sinceMs = now() - this.#askedAt;
    if (sinceMs >= (isMoved ? LEAST_MS : STEADY_MS)) {
      this.#fingerprint = found;
      this.#askedAt = now();
      await this.#ask();
      this.#compare();
    } else if (isMoved) this.#compare();
  }

  async #ask(): Promise<void> {
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]);
    const { askers, now } = this.#options;
    const ask = async (source: Exclude<AddressSource, 'interface'>): Promise<void> => {
      const addresses = (await askers[source]?.(signal)) ?? [];
      // Silence is no news.
      if (addresses.length > 0) this.#heard.set(source, { addresses, atMs: now() });
    };
    const asked = await Promise.allSettled([ask('relay'), ask('stun'), ask('router')]);
    for (const each of asked) if (each.status === 'rejected') this.#explain(each.reason);
    this.#tellAgain();
  }

  /** A router that was asked while its line was changing goes on telling the old address, and is not asked by itself. */
  #tellAgain(): void {
    const { now, moved } = this.#options;
    if (this.#moved === undefined || now() - this.#moved.atMs > STALE_MS) return;
    const { address } = this.#moved;
    const told = this.#heard.get('router')?.addresses.find(({ family }) => family === address.family);
    if (told !== undefined && told.address !== address.address) moved?.(address);
  }

  #compare(): void {
    const { record, changed } = this.#options;
    const text = this.addresses()
      .map(({ address, source, cameIn }) => {
        const visits = cameIn === undefined ? '' : cameIn ? ', visitors come in' : ', no visitor comes in';
        return `${address} (${source}${visits})`;
      })
      .join(', ');
    const before = this.#told;
    if (before === text) return;
    this.#told = text;
    // At the start there is nothing that it differs from.
    if (before === undefined && text === '') return;
    record('address.changed', `this home is at ${text || 'no address that anybody knows'}`, {
      before: before ?? '',
      now: text,
    });
    changed();
  }

  #explain(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    const level = error instanceof GatewayError ? 'debug' : 'error';
    this.#options.log(level, 'the public address could not be asked for', { error: messageOf(error) });
  }
}
