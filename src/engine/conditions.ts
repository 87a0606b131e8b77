import type { Published, Reach } from '../core/contract.ts';
import type { Condition, ConditionType } from '../core/status.ts';
import type { FailedChange } from './reconciler.ts';
import { servicesOf } from './reconciler.ts';

/** What the engine knows of one exposure at one moment. */
export interface Knowledge {
  readonly problem: { readonly code: string; readonly message: string; readonly hint?: string } | undefined;
  /** `undefined` before the first pass of this process. */
  readonly failed: readonly FailedChange[] | undefined;
  readonly published: Published;
  readonly reach: Reach | undefined;
}

type Draft = Omit<Condition, 'since'>;

/** The four conditions of one exposure, in order. Pure. */
export function draftConditions(service: string, provider: string, known: Knowledge): Draft[] {
  if (known.problem !== undefined) {
    const { code, message, hint } = known.problem;
    return [{ type: 'Accepted', status: 'no', reason: code, message: withNext(message, hint) }];
  }
  return [
    { type: 'Accepted', status: 'yes', reason: 'Valid', message: 'the configuration is valid' },
    programmed(service, provider, known.failed),
    { type: 'Published', ...known.published },
    reachable(known.reach),
  ];
}

function programmed(service: string, provider: string, failed: readonly FailedChange[] | undefined): Draft {
  if (failed === undefined) {
    return {
      type: 'Programmed',
      status: 'unknown',
      reason: 'Applying',
      message: 'the first pass is under way',
    };
  }
  const failure = failed.find((change) => concerns(change, service, provider));
  if (failure === undefined) {
    return {
      type: 'Programmed',
      status: 'yes',
      reason: 'Applied',
      message: 'everything it needs is in place',
    };
  }
  const { code, message, hint } = failure.error;
  return { type: 'Programmed', status: 'no', reason: code, message: withNext(message, hint) };
}

function withNext(message: string, hint: string | undefined): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

/** A failed change hurts the ways that need it: those of its own provider, and all where a built-in part failed. */
function concerns(change: FailedChange, service: string, provider: string): boolean {
  return servicesOf(change).includes(service) && (change.part.id === provider || !('reach' in change.part));
}

function reachable(reach: Reach | undefined): Draft {
  if (reach === undefined) {
    return {
      type: 'Reachable',
      status: 'unknown',
      reason: 'NotProbed',
      message: 'not visited from outside yet',
    };
  }
  const reason = { yes: 'Visited', no: 'VisitFailed', unknown: 'NotProved' }[reach.reachable];
  return { type: 'Reachable', status: reach.reachable, reason, message: reach.detail };
}

/** Remembers when each condition last changed its status. */
export class ConditionClock {
  readonly #now: () => number;
  readonly #since = new Map<string, { status: string; since: string }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** `key` is `service/provider`. */
  stamp(key: string, drafts: readonly Draft[]): Condition[] {
    return drafts.map((draft) => this.#stampOne(key, draft));
  }

  #stampOne(key: string, draft: Draft): Condition {
    const id = `${key}/${draft.type satisfies ConditionType}`;
    const before = this.#since.get(id);
    if (before?.status === draft.status) return { ...draft, since: before.since };
    const condition = { ...draft, since: new Date(this.#now()).toISOString() };
    this.#since.set(id, { status: draft.status, since: condition.since });
    return condition;
  }
}
