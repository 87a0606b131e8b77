import { type CaaRecord, caaToPublish, isBoundToZone } from '../../core/caa.ts';
import {
  baseOf,
  shownNames,
  type CertificateReport,
  type CertificateSpec,
  type Certifier,
  type ZoneBound,
} from '../../core/certificate.ts';
import { forced, nextStep, type CertificateState } from '../../core/certificate-life.ts';
import { reportOf } from '../../core/certificate-report.ts';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { CertificateBook } from './book.ts';
import type { Account, Entry } from './memory.ts';
import { Orders, type OrdersOptions } from './orders.ts';

export interface KeeperOptions extends OrdersOptions {
  /** Gives a certificate to whoever shows it to visitors. */
  readonly serve: (name: string, pem: string, signal: AbortSignal) => Promise<void>;
  readonly unserve: (name: string, signal: AbortSignal) => Promise<void>;
}

/** Work at the same time; an authority is a stranger's machine. */
const MOST_AT_ONCE = 3;
const SERVE_AGAIN_MS = 5000;
const CAA_AGAIN_MS = 60_000;

type Served = { readonly fingerprint: string } | { readonly message: string; readonly retryAt: number };

/** Drives the lives of certificates (core/certificate-life.ts) with real authorities. `tick` it, often. */
export class CertificateKeeper implements Certifier {
  readonly #options: KeeperOptions;
  readonly #book: CertificateBook;
  readonly #orders: Orders;
  readonly #abort = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  readonly #served = new Map<string, Served>();
  /** By name: what was looked up last. */
  readonly #caa = new Map<
    string,
    { readonly records: readonly CaaRecord[] | undefined; readonly atMs: number }
  >();

  constructor(options: KeeperOptions) {
    this.#options = options;
    const { files, now, log, record } = options;
    const damaged = (message: string, name: string | undefined): void => {
      log('warn', message);
      record('certificate.damaged', message, name === undefined ? {} : { name });
    };
    this.#book = new CertificateBook({ files, now, damaged });
    this.#orders = new Orders(options, this.#book);
  }

  async keep(spec: CertificateSpec, signal: AbortSignal): Promise<void> {
    await this.#book.load();
    signal.throwIfAborted();
    await this.#hide(spec.name, shownNames(spec), signal);
    this.#served.delete(spec.name);
    await this.#book.keep(spec);
  }

  async release(name: string, signal: AbortSignal): Promise<void> {
    await this.#book.load();
    await this.#hide(name, [], signal);
    this.#served.delete(name);
    await this.#book.release(name);
  }

  /** At the names where it was shown, except those that it keeps, and those of other certificates. */
  async #hide(name: string, keeps: readonly string[], signal: AbortSignal): Promise<void> {
    const { spec } = this.#book.get(name)?.state ?? { spec: { name } };
    const others = this.#wanted().filter(({ state }) => state.spec.name !== name);
    const wanted = new Set([...keeps, ...others.flatMap(({ state }) => shownNames(state.spec))]);
    for (const shown of shownNames(spec)) if (!wanted.has(shown)) await this.#options.unserve(shown, signal);
  }

  async kept(): Promise<readonly { spec: CertificateSpec; report: CertificateReport }[]> {
    await this.#book.load();
    return this.#wanted().map(({ state }) => ({ spec: state.spec, report: this.#reportOf(state) }));
  }

  async renew(name: string): Promise<void> {
    await this.#book.load();
    this.#book.set(name, forced(findEntry(name, this.#wanted()).state));
    await this.#book.save();
  }

  /** Has its authority revoke it, and orders another one: of a name that is not used now, none. `CertificateUnknown`. */
  async revoke(name: string, isCompromised: boolean, signal: AbortSignal): Promise<void> {
    await this.#book.load();
    const entries = this.#book.entries().map(([, entry]) => entry);
    const { isReleased } = findEntry(
      name,
      entries.filter(({ state }) => state.held !== undefined),
    );
    await this.#orders.revoke(name, isCompromised, AbortSignal.any([signal, this.#abort.signal]));
    if (isReleased === true) return this.#book.forget(name);
    const state = this.#book.get(name)?.state;
    if (state !== undefined) this.#book.set(name, forced(state));
    // An order that is under way has its key in the same file.
    await this.#book.remember(name, undefined);
  }

  /** The owner did something: what spoke against an order may be gone. */
  async encourage(): Promise<void> {
    await this.#book.load();
    this.#book.encourage();
  }

  async zoneBound(name: string, signal: AbortSignal): Promise<ZoneBound | undefined> {
    await this.#book.load();
    const spec = this.#wanted().find(({ state }) => shownNames(state.spec).includes(name))?.state.spec;
    const accounts = spec?.authorities.flatMap(({ directory }) => this.account(directory) ?? []) ?? [];
    const records = caaToPublish(name, accounts, ['dns-01']);
    if (records.length === 0) return undefined;
    const found = await this.#caaOf(name, signal);
    if (found === undefined) return { records, published: 'unknown' };
    return { records, published: isBoundToZone(found, name, accounts) ? 'yes' : 'no' };
  }

  async #caaOf(name: string, signal: AbortSignal): Promise<readonly CaaRecord[] | undefined> {
    const { now, around } = this.#options;
    const before = this.#caa.get(name);
    if (before !== undefined && now() - before.atMs < CAA_AGAIN_MS) return before.records;
    const records = await around.findCaa(baseOf(name), signal);
    this.#caa.set(name, { records, atMs: now() });
    return records;
  }

  /** Our account there, and how CAA records call the authority; `undefined` before there is one. */
  account(directory: string): Account | undefined {
    return this.#book.account(directory);
  }

  /** Sentences for the status: certificates that are missing or could not be renewed. */
  troubles(): readonly string[] {
    return this.#wanted().flatMap(({ state }) => {
      const { problem, state: word } = this.#reportOf(state);
      if (problem === null) return [];
      const next = problem.hint === null ? '' : `; ${problem.hint}`;
      const what = word === 'valid' ? 'could not be renewed' : 'could not be had';
      return [`the certificate for ${state.spec.name} ${what}: ${problem.message}${next}`];
    });
  }

  /** Begins whatever is due. Cheap when nothing is. */
  async tick(): Promise<void> {
    await this.#book.load();
    for (const [name, entry] of this.#book.entries()) {
      if (this.#abort.signal.aborted || this.#running.size >= MOST_AT_ONCE) return;
      if (!this.#running.has(name)) this.#begin(name, entry);
    }
  }

  /** Resolves once everything that was begun has come to an end. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  async close(): Promise<void> {
    this.#abort.abort(new GatewayError('the gateway is stopping', { code: 'Aborted', retry: 'never' }));
    await this.settled();
    // What was cut short by us is no failure.
    if (this.#book.isLoaded) await this.#book.save();
  }

  #wanted(): Entry[] {
    return this.#book.entries().flatMap(([, entry]) => (entry.isReleased === true ? [] : [entry]));
  }

  #begin(name: string, entry: Entry): void {
    const job = this.#jobFor(name, entry);
    if (job === undefined) return;
    const running = job()
      .catch((error: unknown) => this.#broke(name, error))
      .finally(() => this.#running.delete(name));
    this.#running.set(name, running);
  }

  #jobFor(name: string, { state, isReleased }: Entry): (() => Promise<void>) | undefined {
    const now = this.#options.now();
    const { signal } = this.#abort;
    if (isReleased === true) {
      const isOver = state.held === undefined || state.held.notAfter <= now;
      return isOver ? () => this.#book.forget(name) : undefined;
    }
    if (this.#mustServe(state, now)) return () => this.#serve(name);
    const step = nextStep(state, now);
    if (step.at > now) return undefined;
    if (step.action === 'order') return () => this.#order(name, step.why, signal);
    return () => this.#orders.askWindow(name, signal);
  }

  /** What it brings is shown at once: visitors wait for it. */
  async #order(name: string, why: string, signal: AbortSignal): Promise<void> {
    await this.#orders.order(name, why, signal);
    const state = this.#book.get(name)?.state;
    if (state !== undefined && this.#mustServe(state, this.#options.now())) await this.#serve(name);
  }

  #mustServe({ held, spec }: CertificateState, now: number): boolean {
    if (held === undefined || held.notAfter <= now) return false;
    const served = this.#served.get(spec.name);
    if (served === undefined) return true;
    return 'fingerprint' in served ? served.fingerprint !== held.fingerprint : served.retryAt <= now;
  }

  async #serve(name: string): Promise<void> {
    const { files, serve, now, changed } = this.#options;
    const { held, spec } = this.#book.get(name)?.state ?? {};
    if (held === undefined || spec === undefined) return;
    const { fingerprint } = held;
    try {
      const pem = await files.pem(name);
      for (const shown of shownNames(spec)) await serve(shown, pem, this.#abort.signal);
      // What came in between is shown the next time.
      if (this.#book.get(name)?.state.spec === spec) this.#served.set(name, { fingerprint });
    } catch (error) {
      if (!(error instanceof GatewayError) || this.#abort.signal.aborted) throw error;
      const message = `visitors do not get the certificate of ${name} yet: ${error.message}`;
      this.#served.set(name, { message, retryAt: now() + SERVE_AGAIN_MS });
    }
    changed();
  }

  /** A full disk, or a fault of ours: told, and not met without end. */
  #broke(name: string, error: unknown): void {
    if (this.#abort.signal.aborted) return;
    const { log, changed } = this.#options;
    const { hint } = error instanceof GatewayError ? error : { hint: undefined };
    if (!(error instanceof GatewayError)) {
      log('error', 'looking after a certificate failed', { name, error: messageOf(error) });
    }
    const failure = { message: messageOf(error), isRehearsal: false, isCounted: false };
    this.#orders.fail(name, hint === undefined ? failure : { ...failure, hint });
    changed();
  }

  #reportOf(state: CertificateState): CertificateReport {
    const served = this.#served.get(state.spec.name);
    const serving = served !== undefined && 'message' in served ? served : undefined;
    return reportOf(state, serving, this.#options.now());
  }
}

function findEntry(name: string, entries: readonly Entry[]): Entry {
  const entry = entries.find(({ state }) => state.spec.name === name);
  if (entry !== undefined) return entry;
  const names = entries.map(({ state }) => state.spec.name);
  throw new GatewayError(`no certificate is kept for ${name}`, {
    code: 'CertificateUnknown',
    retry: 'never',
    hint: `certificates: ${names.join(', ') || 'none yet'}`,
  });
}
