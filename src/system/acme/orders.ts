import { baseOf, type Authority } from '../../core/certificate.ts';
import {
  authorityOf,
  challengesInTurn,
  chooseAuthority,
  type Choice,
} from '../../core/certificate-choice.ts';
import { afterFailure, type Failure } from '../../core/certificate-failure.ts';
import {
  afterRehearsal,
  afterSuccess,
  withWindow,
  type CertificateState,
} from '../../core/certificate-life.ts';
import { GatewayError } from '../../core/errors.ts';
import type { EventType } from '../../core/events.ts';
import type { Keys, Log } from '../../core/ports.ts';
import { attempt, type Outcome } from './attempt.ts';
import { OpenedAuthority, type RenewalAdvice } from './authority.ts';
import type { CertificateBook } from './book.ts';
import type { CertificateFiles, Entry } from './memory.ts';
import type { Prover } from './order.ts';
import type { Surroundings } from './preflight.ts';

export interface OrdersOptions {
  readonly files: CertificateFiles;
  readonly keys: Keys;
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly around: Surroundings;
  readonly prove: Prover;
  readonly record: (type: EventType, message: string, data?: Readonly<Record<string, unknown>>) => void;
  readonly log: Log;
  /** How long an order may take before it is left as it is, and taken up again later; five minutes. */
  readonly patienceMs?: number;
  /** What people see is another. */
  readonly changed: () => void;
}

const PATIENCE_MS = 5 * 60_000;

const END_OF_LEAF = '-----END CERTIFICATE-----\n';
/** RFC 5280 5.3.1. */
const REASON = { keyCompromise: 1, superseded: 4 } as const;

type Asked = Extract<Choice, { directory: string }>;

/** What is asked of authorities, and what becomes of it. */
export class Orders {
  readonly #options: OrdersOptions;
  readonly #book: CertificateBook;

  constructor(options: OrdersOptions, book: CertificateBook) {
    this.#options = options;
    this.#book = book;
  }

  async order(name: string, why: string, signal: AbortSignal): Promise<void> {
    const { now } = this.#options;
    const entry = await this.#book.fresh(name);
    if (entry === undefined) return;
    const { state, pending } = entry;
    const resumed = pending === undefined ? undefined : authorityOf(state, pending.directory, now());
    const choice = resumed ?? chooseAuthority(state, now());
    if ('blockedUntil' in choice) {
      const { blockedUntil: retryAt, message } = choice;
      this.#book.set(name, { ...state, retryAt, trouble: { message } });
      return this.#book.save();
    }
    await this.#book.beginAsIf(name, this.#interrupted(state, choice));
    try {
      const outcome = await this.#attempt(entry, choice, { isResumed: resumed !== undefined, why, signal });
      await this.#take(name, outcome);
    } finally {
      this.#book.end(name);
    }
    await this.#book.save();
  }

  /** A gateway that dies while it asks counts that as a failure: a crash loop must not meet a limit. */
  #interrupted(state: CertificateState, { authority, isRehearsal }: Asked): CertificateState {
    const message = `the gateway ended while it ordered a certificate for ${state.spec.name}`;
    const failure = { message, directory: authority.directory, isRehearsal, isCounted: true };
    return afterFailure(state, failure, this.#options.now());
  }

  #attempt(
    entry: Entry,
    choice: Asked,
    { isResumed, why, signal }: { isResumed: boolean; why: string; signal: AbortSignal },
  ): Promise<Outcome> {
    const { keys, around, prove, now, record, patienceMs = PATIENCE_MS } = this.#options;
    const { name } = entry.state.spec;
    const { host } = new URL(choice.directory);
    const what = choice.isRehearsal ? 'a certificate to try with' : 'a certificate';
    return attempt({
      entry,
      choice,
      isResumed,
      keys,
      accounts: this.#book.accounts(),
      around,
      prove,
      remember: (pending) => this.#book.remember(name, pending),
      asking: () =>
        record('certificate.ordered', `${host} is asked for ${what} for ${name}: ${why}`, { name }),
      now,
      patienceMs,
      signal,
    });
  }

  async #take(name: string, outcome: Outcome): Promise<void> {
    const { now, changed } = this.#options;
    const state = this.#book.get(name)?.state;
    if (state === undefined) return;
    switch (outcome.type) {
      case 'gone':
        return this.#book.remember(name, undefined);
      case 'rehearsed':
        this.#book.set(name, afterRehearsal(state, outcome.challenge, now()));
        break;
      case 'failed':
        this.fail(name, outcome.failure);
        break;
      case 'issued':
        await this.#install(name, state, outcome);
    }
    changed();
  }

  async #install(
    name: string,
    state: CertificateState,
    { pem, held, challenge }: Extract<Outcome, { type: 'issued' }>,
  ): Promise<void> {
    const { now, record, files } = this.#options;
    await files.write(name, pem);
    this.#book.set(name, afterSuccess(state, held, challenge, now()));
    await this.#book.remember(name, undefined);
    const until = new Date(held.notAfter).toISOString();
    record('certificate.renewed', `${name} has a certificate of ${held.issuer} until ${until}`, {
      name,
      until,
    });
  }

  /** Told once, as long as it stays the same. */
  fail(name: string, failure: Failure): void {
    const { now, record } = this.#options;
    const state = this.#book.get(name)?.state;
    if (state === undefined) return;
    const next = afterFailure(state, failure, now());
    this.#book.set(name, next);
    this.#tellSwitch(next, failure);
    if (state.trouble?.message === next.trouble?.message) return;
    const again = new Date(next.retryAt ?? now()).toISOString();
    const hint = failure.hint === undefined ? '' : `; ${failure.hint}`;
    record('certificate.failed', `${failure.message}${hint}; it is tried again at ${again}`, { name, again });
  }

  /** Another kind of proof comes first now, and has not failed since one worked. */
  #tellSwitch(state: CertificateState, { challenge, message }: Failure): void {
    const { around, record } = this.#options;
    const { name } = state.spec;
    const [next] = challengesInTurn(state).filter(
      (one) => one !== 'dns-01' || around.holdsZone(baseOf(name)),
    );
    if (challenge === undefined || next === undefined || state.failed.includes(next)) return;
    const data = { name, from: challenge, to: next };
    record('certificate.switched', `${name} is proved by ${next} next, not ${challenge}: ${message}`, data);
  }

  /** RFC 8555 7.6, by the account that it was ordered with. One that was revoked before is revoked. */
  async revoke(name: string, isCompromised: boolean, signal: AbortSignal): Promise<void> {
    const { files, record } = this.#options;
    const state = this.#book.get(name)?.state;
    if (state?.held === undefined) return;
    const { directory, fingerprint } = state.held;
    const [leaf = ''] = (await files.pem(name)).split(END_OF_LEAF);
    const authority = state.spec.authorities.find((one) => one.directory === directory) ?? { directory };
    const opened = await this.#open(authority, directory, signal);
    try {
      await opened.revoke(`${leaf}${END_OF_LEAF}`, isCompromised ? REASON.keyCompromise : REASON.superseded);
    } finally {
      opened.close();
    }
    const why = isCompromised ? 'because somebody else may have its key' : 'because the owner said so';
    record('certificate.revoked', `${opened.host} revoked the certificate for ${name}, ${why}`, {
      name,
      fingerprint,
    });
  }

  #open(authority: Authority, directory: string, signal: AbortSignal): Promise<OpenedAuthority> {
    const { keys } = this.#options;
    return OpenedAuthority.open({ keys, accounts: this.#book.accounts(), authority, directory, signal });
  }

  async askWindow(name: string, signal: AbortSignal): Promise<void> {
    const { now, random } = this.#options;
    const before = this.#book.get(name)?.state;
    if (before === undefined) return;
    const advice = await this.#advice(before, signal);
    const state = this.#book.get(name)?.state;
    if (state !== undefined) this.#book.set(name, withWindow(state, advice, now(), random()));
    await this.#book.save();
  }

  async #advice({ held, spec }: CertificateState, signal: AbortSignal): Promise<RenewalAdvice | undefined> {
    const { log } = this.#options;
    const authority = spec.authorities.find((one) => one.directory === held?.directory);
    if (held?.ariId === undefined || authority === undefined) return undefined;
    try {
      const opened = await this.#open(authority, held.directory, signal);
      try {
        return await opened.renewalInfo(held.ariId);
      } finally {
        opened.close();
      }
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted) throw error;
      // Without its advice the ratio holds.
      log('debug', 'an authority did not say when to renew', { name: spec.name, error: error.message });
      return undefined;
    }
  }
}
