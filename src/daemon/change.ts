import type { Config } from '../core/config.ts';
import type { PlanReport, Progress, UpReport } from '../core/control.ts';
import type { Desired } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import type { Engine } from '../engine/engine.ts';
import { noticesOf } from '../engine/notices.ts';
import { sentenceOf, type PassReport } from '../engine/reconciler.ts';
import type { StateChange, Store } from '../engine/store.ts';
import { Turn } from '../core/turn.ts';
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

const EDITED_BY_HAND = 'gateway.yaml was edited by hand since it was last applied; that was applied too';

/** The one way from a text of gateway.yaml to the world; one change at a time. */
export class Changes {
  readonly #options: ChangesOptions;
  readonly #turn = new Turn();
  /** What the newest generation compiled to; a pass for anything else says nothing about it. */
  #aim: Desired | undefined;
  #trouble: string | undefined;

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  /** Why what was applied last is not looked after, as a sentence. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /**
   * Carries on with what was applied last: a hand-edited file waits for `gateway up`, and after `gateway down` nothing is
   * opened. State that cannot be used must not keep the API from saying so; then what runs is left as it is.
   */
  async adopt(signal: AbortSignal, firstPassInMs: number): Promise<void> {
    const { compiler, engine, store } = this.#options;
    if (store.generationConfig() === undefined) return engine.start(undefined);
    try {
      this.#aim = store.isDown()
        ? await compiler.compileNothing(signal)
        : await compiler.adopt(this.current(), signal);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#trouble = `what was applied last cannot be used, so nothing is changed: ${error.message}`;
    }
    engine.start(this.#aim, firstPassInMs);
  }

  /** Every change of a pass for `desired` succeeded. */
  async programmed(desired: Desired): Promise<void> {
    const { store } = this.#options;
    const current = store.generations().find((generation) => generation.current);
    if (desired !== this.#aim || store.isDown() || current === undefined || current.programmed) return;
    await store.commit({ programmed: current.number });
  }

  async preview(signal: AbortSignal): Promise<PlanReport> {
    const { file, compiler, engine } = this.#options;
    const desired = await compiler.compile(file.parse(await this.#read()), signal);
    const notices = compiler.warnings(desired);
    return { changes: await engine.preview(desired, signal), problems: problemsOf(desired), notices };
  }

  /** Applies the file as it is. */
  apply(progress: Progress, signal: AbortSignal): Promise<UpReport> {
    return this.#turn.take(async () =>
      this.#applyText(await this.#read(), { notices: [] }, progress, signal),
    );
  }

  /** Rewrites the file, when the new text is valid, and applies it. */
  edit(
    change: (text: string) => string | Promise<string>,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<UpReport> {
    const { file } = this.#options;
    return this.#turn.take(async () => {
      const before = await this.#read();
      // A file that is broken already is named as such, not blamed on the command.
      file.parse(before);
      const applied = this.#options.store.generationConfig();
      const notices = applied === undefined || applied === before ? [] : [EDITED_BY_HAND];
      return this.#rewrite(await change(before), notices, progress, signal);
    });
  }

  /** Sets the file to a text, whatever it holds now, and applies it. What it held is kept beside it. */
  replace(text: string, progress: Progress, signal: AbortSignal): Promise<UpReport> {
    return this.#turn.take(async () => {
      const { file, now } = this.#options;
      const before = await file.read();
      if (before === undefined || before === text) return this.#rewrite(text, [], progress, signal);
      const stamp = new Date(now()).toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');
      const kept = await file.keep(before, `before-${stamp}`);
      return this.#rewrite(text, [`the file as it was is kept as ${kept}`], progress, signal);
    });
  }

  /**
   * `edit` for an emergency: where the file cannot be read, what was applied last is changed instead, and the file as it
   * was is kept beside it.
   */
  async editWhatever(
    change: (text: string) => string,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<UpReport> {
    try {
      return await this.edit(change, progress, signal);
    } catch (error) {
      const applied = this.#options.store.generationConfig();
      const isBroken =
        error instanceof GatewayError && ['ConfigInvalid', 'ConfigMissing'].includes(error.code);
      if (!isBroken || applied === undefined) throw error;
      progress(`${error.message}; so what was applied last is changed`);
      return this.replace(change(applied), progress, signal);
    }
  }

  /** A change of the state that touches nothing in the world. */
  inTurn<Result>(change: () => Promise<Result>): Promise<Result> {
    return this.#turn.take(change);
  }

  /** The config stays; devices changed. */
  reapply(change: () => Promise<void>, progress: Progress, signal: AbortSignal): Promise<PassReport> {
    return this.#turn.take(async () => {
      this.demandUp();
      const config = this.current();
      await change();
      return (await this.#drive(config, { isEdit: true }, progress, signal)).report;
    });
  }

  /** After `gateway down` no service and no way in can be asked about: there is none. */
  demandUp(): void {
    if (!this.#options.store.isDown()) return;
    throw new GatewayError('the gateway is down: it has no services until it is up again', {
      code: 'InvalidRequest',
      hint: 'gateway up',
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

  /**
   * Removes everything of ours from the machine, and keeps it so until the next `up`: the mark comes first, so that a
   * daemon that is killed in between carries on with removing. Keys, devices and addresses stay in the state.
   */
  clear(progress: Progress, signal: AbortSignal): Promise<PassReport> {
    return this.#turn.take(async () => {
      const { compiler, engine, store, permit } = this.#options;
      const nothing = await compiler.compileNothing(signal);
      await store.commit({ isDown: true });
      this.#aim = nothing;
      const report = await engine.reach(nothing, progress, signal);
      await permit(appliedOf(nothing));
      return report;
    });
  }

  /** A file that is gone is not a wish to remove every service. */
  async #read(): Promise<string> {
    const { file, store } = this.#options;
    const text = await file.read();
    if (text !== undefined) return text;
    const current = store.generations().find((generation) => generation.current);
    if (current === undefined || store.generationConfig()?.trim() === '') return '';
    throw new GatewayError(`${file.path} is gone; nothing was changed`, {
      code: 'ConfigMissing',
      retry: 'when-changed',
      hint: `write it again as it was applied: gateway rollback ${current.number}`,
    });
  }

  /** What cannot be is found before the file is touched. */
  async #rewrite(
    text: string,
    notices: readonly string[],
    progress: Progress,
    signal: AbortSignal,
  ): Promise<UpReport> {
    const { file, compiler } = this.#options;
    await compiler.compile(file.parseEdited(text), signal);
    await file.write(text);
    return this.#applyText(text, { notices, isEdit: true }, progress, signal);
  }

  async #applyText(
    text: string,
    { notices, isEdit = false }: { readonly notices: readonly string[]; readonly isEdit?: boolean },
    progress: Progress,
    signal: AbortSignal,
  ): Promise<UpReport> {
    const { file, store, record, now } = this.#options;
    const isNew = text !== store.generationConfig();
    const generation = isNew ? { config: text, appliedAt: new Date(now()).toISOString() } : undefined;
    const how = { isEdit, addGeneration: generation };
    const { desired, report } = await this.#drive(file.parse(text), how, progress, signal);
    const number = store.generations().find(({ current }) => current)?.number ?? 0;
    if (isNew) record('config.applied', `generation ${number} was applied`, { generation: number });
    return {
      generation: number,
      services: desired.services.length,
      changes: report.changes.map(sentenceOf),
      problems: problemsOf(desired),
      failed: report.failed.map((failure) => ({
        change: sentenceOf(failure),
        code: failure.error.code,
        message: failure.error.message,
        hint: failure.error.hint,
      })),
      notices: [...notices, ...(await this.#options.compiler.remarks()), ...noticesOf(report.world)],
    };
  }

  /** Choices are durable and the helper knows what is justified before anything is applied. */
  async #drive(
    config: Config,
    {
      isEdit,
      addGeneration,
    }: { readonly isEdit: boolean; readonly addGeneration?: StateChange['addGeneration'] },
    progress: Progress,
    signal: AbortSignal,
  ) {
    const { compiler, engine, store, permit } = this.#options;
    const desired = await compiler.compile(config, signal);
    await this.#leaveOldName(config.prefix, progress, signal);
    await store.commit({
      ledger: copyOf(desired.ledger),
      isDown: false,
      ...(addGeneration === undefined ? {} : { addGeneration }),
    });
    await permit(appliedOf(desired));
    this.#aim = desired;
    this.#trouble = undefined;
    return { desired, report: await engine.reach(desired, progress, signal, isEdit) };
  }

  /** Another `instance:` finds nothing of what the one before made, so that is removed while its name is known. */
  async #leaveOldName(prefix: string, progress: Progress, signal: AbortSignal): Promise<void> {
    const { compiler, engine, store } = this.#options;
    const before = store.ledger()['network']?.['prefix'];
    if (before === undefined || before === prefix) return;
    const { failed } = await engine.reach(await compiler.compileNothing(signal), progress, signal);
    const [failure] = failed;
    if (failure !== undefined) throw failure.error;
  }
}

function copyOf(ledger: Desired['ledger']): NonNullable<StateChange['ledger']> {
  return Object.fromEntries(Object.entries(ledger).map(([part, slice]) => [part, { ...slice }]));
}

export function problemsOf(desired: Desired): PlanReport['problems'] {
  return desired.problems.map(({ service, code, message, hint }) => ({ service, code, message, hint }));
}
