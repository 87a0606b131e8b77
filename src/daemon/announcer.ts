import { addresseesOf, nameOf, provedAddress, wordsFor, type Addressee } from '../core/announce.ts';
import type { Desired } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import { believedAddresses } from '../core/home.ts';
import type { Ports } from '../core/ports.ts';
import { retryAfterMs } from '../core/retry.ts';
import type { Announced } from '../system/announced.ts';
import { tellProgram } from '../system/tell-program.ts';
import type { Recorder } from './journal.ts';
import { NodeApi } from './node-api.ts';

export interface AnnouncerOptions {
  readonly desired: () => Desired | undefined;
  readonly announced: Announced;
  readonly ports: Pick<Ports, 'home' | 'now'>;
  readonly record: Recorder;
}

/** A line that flaps is not told on: nodes pass on few announcements of one another, and drop the others. */
const LEAST_MS = 30_000;
/** An LND that was restarted announces what its own configuration says, and nothing that it was told. */
const LOOK_MS = 10 * 60_000;

interface Asked {
  /** Not before, whatever there is to tell. */
  readonly nextAt: number;
  /** Not before, where it knows the address. */
  readonly lookAt: number;
  readonly attempts: number;
  /** Of the last attempt. */
  readonly trouble?: string;
}

/** Tells those who must know at which public address the home is: once each, when it is proved, until they took it. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #asked = new Map<string, Asked>();
  #told: ReadonlyMap<string, string> | undefined;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Who does not know is told, as far as he answers; the others are tried again later. */
  async settle(signal: AbortSignal): Promise<void> {
    const { home } = this.#options.ports;
    this.#told = await this.#options.announced.load();
    const addressees = this.#addressees();
    if (addressees.length === 0) return;
    const address = provedAddress(home.addresses());
    const due = addressees.filter((addressee) => this.#isDue(addressee, address));
    const done = await Promise.allSettled(due.map((addressee) => this.#settle(addressee, address, signal)));
    for (const each of done) if (each.status === 'rejected') throw each.reason;
  }

  /** Sentences for the owner: who does not know, and why. */
  remarks(): string[] {
    const told = this.#told;
    if (told === undefined) return [];
    const addressees = this.#addressees();
    const address = provedAddress(this.#options.ports.home.addresses());
    const troubles = addressees.flatMap((addressee) => {
      const name = nameOf(addressee);
      const [why, words] = [this.#asked.get(name)?.trouble, wordsFor(addressee, address)];
      if (why === undefined || words === undefined) return [];
      if (words === '') return [`${name} still announces ${told.get(name)}: ${why}`];
      const what = told.get(name) === words ? 'asked whether it still announces' : 'told that the home is at';
      return [`${name} was not ${what} ${words}: ${why}`];
    });
    return [...troubles, ...this.#unproved(addressees, told)];
  }

  #unproved(addressees: readonly Addressee[], told: ReadonlyMap<string, string>): string[] {
    const seen = this.#options.ports.home.addresses();
    const { ipv4 } = believedAddresses(seen);
    if (ipv4 === undefined || provedAddress(seen) !== undefined) return [];
    const waiting = addressees.filter((addressee) => {
      const words = wordsFor(addressee, ipv4);
      return words !== '' && told.get(nameOf(addressee)) !== words;
    });
    if (waiting.length === 0) return [];
    const who = waiting.map(nameOf).join(' and ');
    return [
      `${who} will be told that the home is at ${ipv4} once that is proved: a relay must see it, or two kinds of sources must say it; gateway address shows who says what`,
    ];
  }

  #addressees(): Addressee[] {
    const desired = this.#options.desired();
    return desired === undefined ? [] : addresseesOf(desired, this.#told ?? new Map());
  }

  /**
   * | knows what it shall   | addressee | due                                                            |
   * | --------------------- | -------- | -------------------------------------------------------------- |
   * | no                    | either   | unless it failed, or was told of another address, just now     |
   * | yes                   | node     | every ten minutes and at the start: it may have forgotten      |
   * | yes                   | program  | never                                                          |
   */
  #isDue(addressee: Addressee, address: string | undefined): boolean {
    const [name, words] = [nameOf(addressee), wordsFor(addressee, address)];
    const { nextAt = 0, lookAt = 0, attempts = 0 } = this.#asked.get(name) ?? {};
    const now = this.#options.ports.now();
    // What hides the home does not wait.
    const isUrgent = words === '' && attempts === 0;
    if (words === undefined || (now < nextAt && !isUrgent)) return false;
    if (this.#told?.get(name) !== words) return true;
    return addressee.kind === 'node' && now >= lookAt;
  }

  async #settle(addressee: Addressee, address: string | undefined, signal: AbortSignal): Promise<void> {
    const { announced, ports, record } = this.#options;
    const [name, words] = [nameOf(addressee), wordsFor(addressee, address) ?? ''];
    const before = this.#told?.get(name) || undefined;
    try {
      const isNews =
        addressee.kind === 'node'
          ? await this.#tellNode(addressee, words, before, signal)
          : await tellProgram(addressee.path, words, before, signal).then(() => true);
      const now = ports.now();
      this.#asked.set(name, { attempts: 0, nextAt: now + (isNews ? LEAST_MS : 0), lookAt: now + LOOK_MS });
      if (before !== words) await announced.put(name, words);
      const what = words === '' ? `to announce ${before} no more` : `that the home is at ${words}`;
      if (isNews) record('address.told', `${name} was told ${what}`, { addressee: name, words });
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted) throw error;
      this.#fail(name, error);
    }
  }

  #fail(name: string, { message, hint }: GatewayError): void {
    const attempts = (this.#asked.get(name)?.attempts ?? 0) + 1;
    const nextAt = this.#options.ports.now() + retryAfterMs(attempts);
    const trouble = `${message}; it is tried again${hint === undefined ? '' : `; ${hint}`}`;
    this.#asked.set(name, { attempts, nextAt, lookAt: 0, trouble });
  }

  /** Asked first what it announces: only what is not so already is told. Was something told? */
  async #tellNode(
    { service, port }: Addressee & { readonly kind: 'node' },
    words: string,
    before: string | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const network = this.#options.desired()?.network;
    if (network === undefined) return false;
    const api = new NodeApi(service, network);
    const announced = await api.announced(signal);
    const add = words === '' || announced.includes(words) ? undefined : words;
    const remove =
      before !== undefined && before !== words && announced.includes(before) ? before : undefined;
    if (add === undefined && remove === undefined) return false;
    // The node may have been slow, and its owner quick: what hides the home holds from that moment on.
    const isStill = this.#addressees().some(
      (one) => one.kind === 'node' && one.service.name === service.name && one.port === port,
    );
    if (!isStill) throw new GatewayError('its owner wants something else by now', { code: 'Aborted' });
    await api.announce({ add, remove }, signal);
    return true;
  }
}
