import type { Reach } from '../core/contract.ts';
import type { WaySeen } from '../core/fallback.ts';

/** One exposure to visit again and again; `key` is `service/provider`. */
export interface ProbeTarget {
  readonly key: string;
  readonly visit: (signal: AbortSignal) => Promise<Reach>;
  /** Something of it changed: it is visited at once. */
  readonly isAgain?: boolean;
}

/** So soon after it is due is a visit begun; those that are due at the same time begin together. */
const LEAST_WAIT_MS = 500;
/** The clock may be set. */
const MOST_WAIT_MS = 10_000;
const VISIT_TIMEOUT_MS = 60_000;
const MAX_CONCURRENT_VISITS = 4;
const STEADY_MS = 60_000;
/** After a change or while not proved: soon at first, then a minute apart. */
const SEARCHING_MS = [500, 1000, 2000, 3000, 5000, 10_000, 20_000, 30_000, 60_000] as const;

interface Probe {
  target: ProbeTarget;
  latest: Reach | undefined;
  /** First and last of the visits in a row that found the same. */
  sinceMs: number;
  seenMs: number;
  tookMs: number | undefined;
  dueAtMs: number;
  misses: number;
  visiting: Promise<void> | undefined;
}

/**
 * Visits every exposure as a visitor would. Only `yes` from a vantage outside counts as proof; a proof that is not
 * repeated in time is replaced by what the newest visit found.
 */
export class Health {
  readonly #now: () => number;
  readonly #changed: (key: string, reach: Reach) => void;
  readonly #visited: (key: string) => void;
  readonly #probes = new Map<string, Probe>();
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #isStarted = false;
  /** When the timer fires, by the clock that nobody sets. */
  #wakeAtMs = Infinity;

  /** `changed`: a visit found something else than the one before; `visited`: after each visit. */
  constructor(
    now: () => number,
    changed: (key: string, reach: Reach) => void,
    visited: (key: string) => void = () => undefined,
  ) {
    this.#now = now;
    this.#changed = changed;
    this.#visited = visited;
  }

  start(): void {
    this.#isStarted = true;
    this.#plan();
  }

  /** Replaces what is visited; what stays keeps its history. */
  setTargets(targets: readonly ProbeTarget[]): void {
    const keys = new Set(targets.map((target) => target.key));
    for (const key of this.#probes.keys()) if (!keys.has(key)) this.#probes.delete(key);
    for (const target of targets) {
      const probe = this.#probes.get(target.key);
      if (probe === undefined) {
        this.#probes.set(target.key, {
          target,
          latest: undefined,
          sinceMs: 0,
          seenMs: 0,
          tookMs: undefined,
          dueAtMs: 0,
          misses: 0,
          visiting: undefined,
        });
      } else {
        probe.target = target;
        if (target.isAgain === true) Object.assign(probe, { dueAtMs: 0, misses: 0 });
      }
    }
    this.#plan();
  }

  /** What is due so soon is due now: the world was just looked at, and need not be looked at again for it. */
  gather(withinMs: number): void {
    const soon = this.#now() + withinMs;
    for (const probe of this.#probes.values()) if (probe.dueAtMs <= soon) probe.dueAtMs = 0;
    this.#plan();
  }

  /** Something changed that may let the next visit of this service succeed: those that did not are due now. */
  retry(service: string): void {
    for (const [key, probe] of this.#probes) {
      const isOpen = probe.latest?.reachable === 'yes';
      if (key.startsWith(`${service}/`) && !isOpen) Object.assign(probe, { dueAtMs: 0, misses: 0 });
    }
    this.#plan();
  }

  latest(key: string): Reach | undefined {
    return this.#probes.get(key)?.latest;
  }

  /** How long the last visit was on its way. */
  tookMs(key: string): number | undefined {
    return this.#probes.get(key)?.tookMs;
  }

  /** What the newest visits in a row agree on; `undefined` before the first. */
  seen(key: string): (Omit<WaySeen, 'provider'> & Pick<Reach, 'vantage'>) | undefined {
    const probe = this.#probes.get(key);
    if (probe?.latest === undefined) return undefined;
    const { latest, sinceMs, seenMs } = probe;
    const { reachable, vantage, detail } = latest;
    return { reachable, vantage, sinceMs, seenMs, detail };
  }

  /** This way is visited then, if not before. */
  lookBy(key: string, atMs: number): void {
    const probe = this.#probes.get(key);
    if (probe === undefined || probe.visiting !== undefined || probe.dueAtMs <= atMs) return;
    probe.dueAtMs = atMs;
    this.#plan();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#abort.abort();
    await Promise.all([...this.#probes.values()].map(async (probe) => probe.visiting));
  }

  #tick(): void {
    const probes = [...this.#probes.values()];
    const free = MAX_CONCURRENT_VISITS - probes.filter((probe) => probe.visiting !== undefined).length;
    const due = probes.filter((probe) => probe.visiting === undefined && probe.dueAtMs <= this.#now());
    for (const probe of due.slice(0, Math.max(free, 0))) probe.visiting = this.#visit(probe);
    this.#wakeAtMs = Infinity;
    this.#plan();
  }

  /** Sleeps until something is due, and never long. */
  #plan(): void {
    if (!this.#isStarted || this.#abort.signal.aborted || this.#probes.size === 0) return;
    let dueAtMs = Infinity;
    for (const probe of this.#probes.values()) {
      if (probe.visiting === undefined) dueAtMs = Math.min(dueAtMs, probe.dueAtMs);
    }
    const waitMs = Math.min(Math.max(dueAtMs - this.#now(), LEAST_WAIT_MS), MOST_WAIT_MS);
    if (performance.now() + waitMs >= this.#wakeAtMs) return;
    clearTimeout(this.#timer);
    this.#wakeAtMs = performance.now() + waitMs;
    this.#timer = setTimeout(() => this.#tick(), waitMs);
  }

  async #visit(probe: Probe): Promise<void> {
    probe.dueAtMs = Infinity;
    const startedAt = performance.now();
    // Through a relay whatever fails is tried twice within one visit: that counts as having failed since its beginning.
    const beganMs = this.#now();
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(VISIT_TIMEOUT_MS)]);
    const reach = await probe.target.visit(signal).catch((error: unknown): Reach => ({
      reachable: 'unknown',
      vantage: 'none',
      detail: `the check itself failed: ${error instanceof Error ? error.message : String(error)}`,
    }));
    probe.visiting = undefined;
    if (this.#abort.signal.aborted) return;
    const before = probe.latest?.reachable;
    probe.latest = reach;
    probe.seenMs = this.#now();
    probe.tookMs = performance.now() - startedAt;
    if (before !== reach.reachable) probe.sinceMs = reach.vantage === 'relay' ? beganMs : probe.seenMs;
    probe.misses = reach.reachable === 'yes' ? 0 : probe.misses + 1;
    // Something changed while it was on its way: what it found may be of before.
    if (probe.dueAtMs === Infinity) probe.dueAtMs = this.#now() + waitMs(probe.misses);
    if (before !== reach.reachable) this.#changed(probe.target.key, reach);
    this.#visited(probe.target.key);
    this.#tick();
  }
}

function waitMs(misses: number): number {
  if (misses === 0) return STEADY_MS;
  return SEARCHING_MS[Math.min(misses, SEARCHING_MS.length) - 1] ?? STEADY_MS;
}
