import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, messageOf } from '../core/errors.ts';
import { isPublicUnicast } from '../core/inet.ts';
import { isPublicIpv6 } from '../core/inet6.ts';
import type { Notice } from '../core/notify.ts';
import type { Log } from '../core/ports.ts';
import { silenceNews, type HomeWatch } from '../core/relay-watch.ts';
import { tell } from '../system/alerts/tell.ts';
import type { Carrier } from './carry/carrier.ts';
import type { Members } from './members.ts';
import { Watched, type WatchedHome } from './watched.ts';

/** How long is silent, and where a message may go. */
export interface WatchTerms {
  readonly silentMs: number;
  readonly tickMs: number;
  readonly apartMs: number;
  readonly mayReach: (address: string) => boolean;
}

export interface HomeWatcherOptions {
  readonly directory: string;
  readonly members: Pick<Members, 'homes'>;
  /** Absent: this relay has no tunnels. */
  readonly carrier: Pick<Carrier, 'carrying'> | undefined;
  readonly now: () => number;
  readonly log: Log;
  readonly terms?: Partial<WatchTerms> | undefined;
}

const TERMS: WatchTerms = { silentMs: 180_000, tickMs: 5000, apartMs: 3_600_000, mayReach: isElsewhere };
/** When it was we who had no network, homes are back by then. */
const AFTER_FAILURE_MS = 120_000;
const TELL_MS = 15_000;
/** Receivers that hang keep those of other homes waiting no longer than that. */
const AT_ONCE = 16;

/**
 * Tells the receivers that a home named when nothing was heard of it for three minutes, and when it is back. Heard is a
 * connection that it holds, a question, or a handshake of its tunnel. A relay trusts no home: messages say only which home
 * it is, go to public addresses of other machines alone, and tell of a home's silence once an hour at most.
 */
export class HomeWatcher {
  readonly #options: HomeWatcherOptions;
  readonly #terms: WatchTerms;
  readonly #watched: Watched;
  readonly #held = new Set<string>();
  readonly #heardMs = new Map<string, number>();
  /** Not told again before. */
  readonly #nextMs = new Map<string, number>();
  /** Of what is not known since then it is not known that it is silent. */
  #sinceMs: number;
  #tickedMs: number;

  private constructor(options: HomeWatcherOptions, watched: Watched) {
    this.#options = options;
    this.#terms = { ...TERMS, ...options.terms };
    this.#watched = watched;
    this.#sinceMs = this.#tickedMs = options.now();
  }

  /** Looks until the signal aborts. */
  static async start(options: HomeWatcherOptions, signal: AbortSignal): Promise<HomeWatcher> {
    const watcher = new HomeWatcher(options, await Watched.open(options.directory));
    watcher.#look(signal).catch((error: unknown) => {
      if (!signal.aborted) options.log('error', 'homes are not watched', { why: messageOf(error) });
    });
    return watcher;
  }

  heard(home: string): void {
    if (this.#watched.of(home) !== undefined) this.#heardMs.set(home, this.#options.now());
  }

  held(home: string, isHeld: boolean): void {
    if (isHeld) this.#held.add(home);
    else this.#held.delete(home);
    this.heard(home);
  }

  markOf(home: string): string {
    return this.#watched.of(home)?.watch.mark ?? '';
  }

  /** Durable when it resolves. When it was told last is kept: saying it anew does not make another message. */
  async watch(home: string, watch: HomeWatch): Promise<void> {
    const before = this.#watched.of(home) ?? { isTold: false };
    const isTold = before.isTold && watch.tell.length > 0;
    await this.#watched.put(home, { ...before, isTold, watch });
    this.heard(home);
  }

  async leave(home: string): Promise<void> {
    await this.#watched.remove(home);
    this.#heardMs.delete(home);
    this.#nextMs.delete(home);
  }

  async #look(signal: AbortSignal): Promise<never> {
    const { log } = this.#options;
    for (;;) {
      await sleep(this.#terms.tickMs, undefined, { signal, ref: false });
      try {
        await this.#once(signal);
      } catch (error) {
        if (signal.aborted) throw error;
        log('error', 'homes could not be looked after', { why: messageOf(error) });
      }
    }
  }

  async #once(signal: AbortSignal): Promise<void> {
    const { now, members } = this.#options;
    // The machine slept, or its clock was set: nobody could be heard meanwhile.
    const gap = now() - this.#tickedMs;
    if (gap < 0 || gap > this.#terms.silentMs / 2) this.#sinceMs = now();
    this.#tickedMs = now();
    const known = new Set(await members.homes());
    const due: (() => Promise<void>)[] = [];
    for (const [home, watched] of this.#watched.all()) {
      if (!known.has(home)) await this.leave(home);
      else if (watched.watch.tell.length > 0) {
        const news = await this.#newsOf(home, watched);
        if (news !== undefined) due.push(() => this.#tell(home, watched, news, signal));
      }
    }
    for (let first = 0; first < due.length; first += AT_ONCE) {
      await Promise.all(due.slice(first, first + AT_ONCE).map((one) => one()));
    }
    this.#tickedMs = now();
  }

  async #newsOf(home: string, { isTold, toldAt }: WatchedHome): Promise<'silent' | 'back' | undefined> {
    const { now } = this.#options;
    if (now() < (this.#nextMs.get(home) ?? 0)) return undefined;
    const silentMs = now() - (await this.#lastHeardMs(home, isTold));
    const toldAgoMs = toldAt === undefined ? undefined : now() - Date.parse(toldAt);
    return silenceNews({ silentMs, isTold, toldAgoMs }, this.#terms);
  }

  /** A start of ours is no word of a home that was silent before it. */
  async #lastHeardMs(home: string, isTold: boolean): Promise<number> {
    const { now, carrier } = this.#options;
    if (this.#held.has(home)) return now();
    const heardMs = Math.max(this.#heardMs.get(home) ?? 0, isTold ? 0 : this.#sinceMs);
    if (now() - heardMs < this.#terms.silentMs || carrier === undefined) return heardMs;
    const age = (await carrier.carrying(home))?.handshakeAgeSeconds ?? null;
    return age === null ? heardMs : Math.max(heardMs, now() - age * 1000);
  }

  async #tell(
    home: string,
    watched: WatchedHome,
    news: 'silent' | 'back',
    signal: AbortSignal,
  ): Promise<void> {
    const { now, log } = this.#options;
    const took = await Promise.all(
      watched.watch.tell.map((to) => this.#tellOne(home, to, noticeOf(home, news), signal)),
    );
    log('info', `a home is ${news}`, { home, told: took.filter(Boolean).length, of: took.length });
    if (!took.includes(true)) return void this.#nextMs.set(home, now() + AFTER_FAILURE_MS);
    const current = this.#watched.of(home);
    if (current === undefined) return;
    const toldAt = news === 'silent' ? { toldAt: new Date(now()).toISOString() } : {};
    await this.#watched.put(home, { ...current, ...toldAt, isTold: news === 'silent' });
  }

  async #tellOne(
    home: string,
    to: HomeWatch['tell'][number],
    notice: Notice,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { now, log } = this.#options;
    const { mayReach } = this.#terms;
    try {
      await tell(to, notice, now(), { mayReach }, AbortSignal.any([signal, AbortSignal.timeout(TELL_MS)]));
      return true;
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted) throw error;
      log('warn', 'a receiver was not told of a home', { home, why: error.message });
      return false;
    }
  }
}

function noticeOf(home: string, news: 'silent' | 'back'): Notice {
  const text = `the relay hears nothing of the home ${home}`;
  return { lines: [{ state: news === 'silent' ? 'begins' : 'ends', kind: 'down', text }], told: {} };
}

/** What listens on this machine, or beside it, is nobody's to reach through us. */
function isElsewhere(address: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const isPublic = isPublicUnicast(address) || isPublicIpv6(address);
  return isPublic && !own.some((one) => one.address === address);
}
