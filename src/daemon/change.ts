import type { Config } from '../core/config.ts';
import type { PlanReport, Progress, UpReport } from '../core/control.ts';
import type { Desired } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import type { Engine } from '../engine/engine.ts';
import { sentenceOf, type PassReport } from '../engine/reconciler.ts';
import type { StateChange, Store } from '../engine/store.ts';
import { Turn } from '../engine/turn.ts';
import { appliedOf } from './applied.ts';
import type { Compiler } from './compiler.ts';
import type { ConfigFile } from './config-file.ts';
import type { Recorder } from './journal.ts';

export interface ChangesOptions {
  readonly file: ConfigFile;
  readonly compiler: Compiler;
  readonly engine: Engine;
  readonly store: Store;
  readonly now: () => number;
  readonly record: Recorder;
  /** Tells the helper what the config justifies; done before anything is applied. */
  readonly permit: (applied: ReturnType<typeof appliedOf>) => Promise<void>;
}

/** The one way from a text of gateway.yaml to the world; one change at a time. */
export class Changes {
  readonly #options: ChangesOptions;
  readonly #turn = new Turn();
  /** What the newest generation compiled to; a pass for anything else says nothing about it. */
  #aim: Desired | undefined;

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  /** Carries on with what was applied last; a hand-edited file waits for `gateway up`. */
  async adopt(signal: AbortSignal): Promise<void> {
    const { compiler, engine, store } = this.#options;
    if (store.generationConfig() === undefined) return engine.start(undefined);
    this.#aim = await compiler.compile(this.current(), signal);
    engine.start(this.#aim);
  }

  /** Every change of a pass for `desired` succeeded. */
  async programmed(desired: Desired): Promise<void> {
    const { store } = this.#options;
    const current = store.generations().find((generation) => generation.current);
    if (desired !== this.#aim || current === undefined || current.programmed) return;
    await store.commit({ programmed: current.number });
  }

  async preview(signal: AbortSignal): Promise<PlanReport> {
    const { file, compiler, engine } = this.#options;
    const desired = await compiler.compile(file.parse(await file.read()), signal);
    return { changes: await engine.preview(desired, signal), problems: problemsOf(desired) };
  }

  /** Applies the file as it is. */
  apply(progress: Progress, signal: AbortSignal): Promise<UpReport> {
    return this.#turn.take(async () => this.#applyText(await this.#options.file.read(), progress, signal));
  }

  /** Rewrites the file, when the new text is valid, and applies it. */
  edit(
    change: (text: string) => string | Promise<string>,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<UpReport> {
    return this.#turn.take(async () => {
      const { file } = this.#options;
      const text = await change(await file.read());
      file.parse(text);
      await file.write(text);
      return this.#applyText(text, progress, signal);
    });
  }

  /** The config stays; devices changed. */
  reapply(change: () => Promise<void>, progress: Progress, signal: AbortSignal): Promise<PassReport> {
    return this.#turn.take(async () => {
      const config = this.current();
      await change();
      return (await this.#drive(config, progress, signal)).report;
    });
  }

  /** What is applied now. */
  current(): Config {
    const text = this.#options.store.generationConfig();
    if (text === undefined) {
      throw new GatewayError('nothing is applied yet', {
        code: 'ConfigMissing',
        hint: 'add a service (gateway service add) or run: gateway up',
      });
    }
    return this.#options.file.parse(text);
  }

  /** Removes everything of ours from the machine; keys, devices and addresses stay in the state. */
  clear(progress: Progress, signal: AbortSignal): Promise<PassReport> {
    return this.#turn.take(async () => {
      const { compiler, engine } = this.#options;
      const config = { ...this.current(), services: [] };
      // The ledger is not stored: addresses come back with the next `up`.
      return engine.reach(await compiler.compile(config, signal), progress, signal);
    });
  }

  async #applyText(text: string, progress: Progress, signal: AbortSignal): Promise<UpReport> {
    const { file, store, record, now } = this.#options;
    const isNew = text !== store.generationConfig();
    const generation = isNew ? { config: text, appliedAt: new Date(now()).toISOString() } : undefined;
    const { desired, report } = await this.#drive(file.parse(text), progress, signal, generation);
    const number = store.generations().find(({ current }) => current)?.number ?? 0;
    record('config.applied', `generation ${number} was applied`, { generation: number });
    return {
      generation: number,
      changes: report.changes.map(sentenceOf),
      problems: problemsOf(desired),
      failed: report.failed.map((failure) => ({
        change: sentenceOf(failure),
        code: failure.error.code,
        message: failure.error.message,
        hint: failure.error.hint,
      })),
    };
  }

  /** Choices are durable and the helper knows what is justified before anything is applied. */
  async #drive(
    config: Config,
    progress: Progress,
    signal: AbortSignal,
    addGeneration?: StateChange['addGeneration'],
  ) {
    const { compiler, engine, store, permit } = this.#options;
    const desired = await compiler.compile(config, signal);
    await store.commit({
      ledger: copyOf(desired.ledger),
      ...(addGeneration === undefined ? {} : { addGeneration }),
    });
    await permit(appliedOf(desired));
    this.#aim = desired;
    return { desired, report: await engine.reach(desired, progress, signal) };
  }
}

function copyOf(ledger: Desired['ledger']): NonNullable<StateChange['ledger']> {
  return Object.fromEntries(Object.entries(ledger).map(([part, slice]) => [part, { ...slice }]));
}

export function problemsOf(desired: Desired): PlanReport['problems'] {
  return desired.problems.map(({ service, code, message, hint }) => ({ service, code, message, hint }));
}
