import type { Context, Part, Provider } from '../core/contract.ts';
import type { Desired } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import type { Recorder } from '../core/events.ts';
import type { Ports } from '../core/ports.ts';
import type { Network } from '../core/service.ts';
import { canonical } from '../core/plan.ts';
import { Fallbacks, type FallbackMemory } from './fallbacks.ts';
import { Health } from './health.ts';
import { Looks } from './looks.ts';
import { type Narrow, narrowPass, touchedBetween } from './narrow.ts';
import { isTroubled, tellsReach } from './notices.ts';
import {
  observeAll,
  pass,
  planAll,
  sentenceOf,
  servicesTouched,
  type FailedChange,
  type PartChange,
  type PassReport,
  type World,
} from './reconciler.ts';
import { tellsPass } from './pass-events.ts';
import { Scheduler, type Outcome } from './scheduler.ts';
import { Turn } from '../core/turn.ts';

export interface EngineOptions {
  readonly parts: readonly Part[];
  readonly providers: readonly Provider[];
  readonly ports: Ports;
  /** Appends to the journal. */
  readonly record: Recorder;
  /** Called after a pass in which every change succeeded. */
  readonly programmed: (desired: Desired) => void;
  /** Which way in is in use survives a restart. */
  readonly fallbackMemory: FallbackMemory;
}

/** The world is looked at again this often although nothing happened; half as often while all is well for longer. */
const INTERVAL_MS = 30_000;
/** Visits that are due this soon after a pass share what it saw. */
const GATHER_MS = INTERVAL_MS / 2;
const SETTLE_MS = 2000;
/** A look at much takes long; it comes that much later. */
const SETTLE_FACTOR = 10;
const PASS_TIMEOUT_MS = 300_000;
const LOOK_TIMEOUT_MS = 60_000;

/**
 * Drives the world towards what is desired, pass after pass, and visits every exposure. It holds no truth: kill it, and
 * the next one observes the same world and carries on.
 */
export class Engine {
  readonly health: Health;
  readonly fallbacks: Fallbacks;
  readonly #options: EngineOptions;
  readonly #all: readonly Part[];
  readonly #turn = new Turn();
  readonly #scheduler: Scheduler;
  readonly #abort = new AbortController();
  readonly #looks: Looks;
  #desired: Desired | undefined;
  #failed: readonly FailedChange[] | undefined;
  #wasWell = false;
  /** As the last pass left it; `undefined` when that is not known. */
  #world: World | undefined;
  #tookMs = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#all = [...options.parts, ...options.providers];
    this.#scheduler = new Scheduler(() => this.#background(), INTERVAL_MS);
    this.#looks = new Looks(options.ports.now);
    const { now } = options.ports;
    this.health = new Health(now, tellsReach(options.record), (key) => {
      if (this.#desired !== undefined) this.fallbacks.visited(key, this.#desired);
    });
    this.fallbacks = new Fallbacks({
      now,
      seen: (key) => this.health.seen(key),
      lookBy: (key, atMs) => this.health.lookBy(key, atMs),
      record: options.record,
      memory: options.fallbackMemory,
    });
  }

  /** Starts from what was applied last, if anything; the first pass runs in the background, after a while. */
  start(desired: Desired | undefined, firstPassInMs = 0): void {
    this.#desired = desired;
    this.#settle();
    this.health.start();
    if (desired !== undefined) this.#scheduler.triggerIn(firstPassInMs);
  }

  /** Something happened in the world: the next pass comes now. Nothing depends on it. */
  wake(): void {
    if (this.#desired !== undefined) this.#scheduler.trigger();
  }

  get desired(): Desired | undefined {
    return this.#desired;
  }

  /** What failed in the last pass; `undefined` before the first. */
  get failed(): readonly FailedChange[] | undefined {
    return this.#failed;
  }

  observe(network: Network, signal: AbortSignal): Promise<World> {
    return observeAll(this.#all, this.#context(network, signal));
  }

  /** The changes that would lead to `desired`, as sentences; nothing is changed. */
  async preview(desired: Desired, signal: AbortSignal): Promise<string[]> {
    const world = await this.observe(desired.network, signal);
    return planAll(this.#all, desired.resources, world).map(sentenceOf);
  }

  /**
   * Makes `desired` the aim and runs a pass for it now; later passes keep to it. `isEdit`: only what differs from the aim
   * before need be looked at, where that was reached and all was well.
   */
  async reach(
    desired: Desired,
    progress: (message: string) => void,
    signal: AbortSignal,
    isEdit = false,
  ): Promise<PassReport> {
    const report = await this.#turn.take(async () => {
      const ending = AbortSignal.any([signal, AbortSignal.timeout(PASS_TIMEOUT_MS)]);
      const narrow = isEdit ? this.#narrow(desired) : undefined;
      this.#desired = desired;
      this.#wasWell = false;
      const missed: FailedChange[] = [];
      if (narrow !== undefined) {
        const done = await this.#narrowPass(desired, narrow, ending, progress, missed);
        if (done !== undefined) return done;
      }
      const whole = await this.#pass(desired, ending, progress);
      this.#visit(whole, true);
      return this.#withMissed(whole, missed, progress);
    });
    // Not at once when all is well: what is asked for next would wait for it.
    if (report.failed.length === 0)
      this.#scheduler.triggerIn(Math.max(SETTLE_MS, SETTLE_FACTOR * this.#tookMs));
    else this.#scheduler.trigger();
    return report;
  }

  /** What failed before the whole pass is told where that did not try it again: a host of names is asked once. */
  #withMissed(
    whole: PassReport,
    missed: readonly FailedChange[],
    progress: (message: string) => void,
  ): PassReport {
    const again = new Set(whole.changes.map(nameOfChange));
    const untold = missed.filter((change) => !again.has(nameOfChange(change)));
    for (const change of untold) tellsPass(this.#options.record, progress).failed(change);
    return { ...whole, failed: [...whole.failed, ...untold] };
  }

  /** What differs from the aim before; `undefined` when everything must be looked at. */
  #narrow(desired: Desired): Narrow | undefined {
    const [before, world] = [this.#desired, this.#world];
    if (before === undefined || world === undefined || this.#failed?.length !== 0) return undefined;
    if (canonical(before.network) !== canonical(desired.network)) return undefined;
    const touched = touchedBetween(before.resources, desired.resources);
    return touched.size === 0 ? undefined : { wanted: desired.resources, world, touched };
  }

  async #narrowPass(
    desired: Desired,
    narrow: Narrow,
    signal: AbortSignal,
    progress: (message: string) => void,
    missed: FailedChange[],
  ): Promise<PassReport | undefined> {
    const context = this.#context(desired.network, signal);
    const watcher = {
      ...tellsPass(this.#options.record, progress),
      failed: (change: FailedChange) => void missed.push(change),
    };
    const report = await narrowPass(this.#all, narrow, context, watcher);
    if (report === undefined) return undefined;
    this.#world = report.world;
    this.#options.programmed(desired);
    this.#looks.forget();
    this.#setTargets(desired, servicesTouched(report.changes));
    return report;
  }

  async stop(): Promise<void> {
    this.#abort.abort(new GatewayError('the gateway is stopping', { code: 'Aborted', retry: 'never' }));
    await Promise.all([this.#scheduler.stop(), this.health.stop()]);
    for (const part of this.#all) await part.close();
  }

  async #background(): Promise<Outcome> {
    const { log } = this.#options.ports;
    try {
      return await this.#turn.take(async () => {
        if (this.#desired === undefined) return 'settled';
        const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(PASS_TIMEOUT_MS)]);
        const report = await this.#pass(this.#desired, signal, () => undefined);
        this.#visit(report, report.changes.length > 0);
        return this.#outcomeOf(report);
      });
    } catch (error) {
      if (this.#abort.signal.aborted) return 'settled';
      const stack = error instanceof Error && !(error instanceof GatewayError) ? error.stack : undefined;
      log('error', 'pass failed', { error: String(error), ...(stack === undefined ? {} : { stack }) });
      return 'again';
    }
  }

  /** Steady is what was well, and untouched, for an interval. */
  #outcomeOf({ changes, failed, world }: PassReport): Outcome {
    if (failed.length > 0) return 'again';
    const isWell = changes.length === 0 && !isTroubled(world);
    const outcome = isWell && this.#wasWell ? 'steady' : 'settled';
    this.#wasWell = isWell;
    return outcome;
  }

  async #pass(
    desired: Desired,
    signal: AbortSignal,
    progress: (message: string) => void,
  ): Promise<PassReport> {
    const context = this.#context(desired.network, signal);
    const startedAt = performance.now();
    this.#world = undefined;
    const report = await pass(
      this.#all,
      desired.resources,
      context,
      tellsPass(this.#options.record, progress),
    );
    this.#tookMs = performance.now() - startedAt;
    this.#failed = report.failed;
    this.#world = report.world;
    if (report.failed.length === 0) this.#options.programmed(desired);
    return report;
  }

  /** Tells health what to visit: accepted exposures, with what the pass observed. */
  #visit(report: PassReport, again: boolean): void {
    const desired = this.#desired;
    if (desired === undefined) return;
    this.#looks.keep(report.world);
    this.#setTargets(desired, again && report.changes.length > 0 ? 'all' : new Set());
    this.health.gather(GATHER_MS);
  }

  /** Those of the services named in `again` are visited at once; new ones are in any case. */
  #setTargets(desired: Desired, again: ReadonlySet<string> | 'all'): void {
    const accepted = desired.exposures.filter((exposure) => exposure.problem === undefined);
    const contextOfLook = (): Context =>
      this.#context(
        desired.network,
        AbortSignal.any([this.#abort.signal, AbortSignal.timeout(LOOK_TIMEOUT_MS)]),
      );
    this.health.setTargets(
      accepted.flatMap((exposure) => {
        const provider = this.#options.providers.find((candidate) => candidate.id === exposure.provider);
        if (provider === undefined) return [];
        const visit = async (signal: AbortSignal) => {
          const observed = await this.#looks.of(provider, contextOfLook);
          return provider.reach(exposure, observed, this.#context(desired.network, signal));
        };
        const isAgain = again === 'all' || again.has(exposure.service.name);
        return [{ key: `${exposure.service.name}/${provider.id}`, visit, isAgain }];
      }),
    );
    this.#settle();
  }

  #settle(): void {
    if (this.#desired !== undefined) this.fallbacks.settle(this.#desired);
  }

  #context(network: Network, signal: AbortSignal): Context {
    return { signal, network, ports: this.#options.ports };
  }
}

function nameOfChange({ part, change }: PartChange): string {
  return `${part.id} ${(change.op === 'delete' ? change.have : change.want).key}`;
}
