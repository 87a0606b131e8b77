import type { Context, Observed, Provider } from '../core/contract.ts';
import type { OperationArguments, OperationName, OperationResult } from '../core/operations.ts';
import type { Helper } from '../core/ports.ts';

/** A visit may be judged by what was observed this long ago; visits come in rounds, and a round shares one look. */
const FRESH_MS = 1000;

interface Look {
  readonly observed: Promise<readonly Observed[]>;
  /** Unset while it is under way. */
  endedAtMs: number | undefined;
}

/**
 * What visits are judged by. Observing costs more with every service, so that each visit doing it for itself would cost
 * the square of their number.
 */
export class Looks {
  readonly #nowMs: () => number;
  readonly #looks = new Map<string, Look>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The world was changed: what was seen before says nothing now. */
  forget(): void {
    this.#looks.clear();
  }

  /** What a pass saw just now. */
  keep(world: ReadonlyMap<string, readonly Observed[]>): void {
    const endedAtMs = this.#nowMs();
    for (const [id, observed] of world) {
      this.#looks.set(id, { observed: Promise.resolve(observed), endedAtMs });
    }
  }

  /** What the provider observes, seen at most a second ago; `context` is for a look, not for one visit. */
  of(provider: Provider, context: () => Context): Promise<readonly Observed[]> {
    const kept = this.#looks.get(provider.id);
    if (kept !== undefined && (kept.endedAtMs ?? Infinity) + FRESH_MS > this.#nowMs()) return kept.observed;
    const look: Look = { observed: provider.observe(context()), endedAtMs: undefined };
    this.#looks.set(provider.id, look);
    const end = (): void => void (look.endedAtMs = this.#nowMs());
    const drop = (): void => void (this.#looks.get(provider.id) === look && this.#looks.delete(provider.id));
    look.observed.then(end, drop);
    return look.observed;
  }
}

/** The helper, asked once for what several parts want to know of it at the same moment. */
export function askedOnce(helper: Helper): Helper {
  const answers = new Map<string, Promise<unknown>>();
  return {
    call: <Name extends OperationName>(
      name: Name,
      input: OperationArguments<Name>,
      signal: AbortSignal,
    ): Promise<OperationResult<Name>> => {
      const question = `${name} ${JSON.stringify(input)}`;
      const answer = answers.get(question) ?? helper.call(name, input, signal);
      answers.set(question, answer);
      return answer as Promise<OperationResult<Name>>;
    },
  };
}
