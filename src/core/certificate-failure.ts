import type { Challenge } from './certificate.ts';
import { isBlocked } from './certificate-choice.ts';
import {
  LONGEST_WAIT_MS,
  MINUTE,
  recent,
  recordOf,
  SECOND,
  type CertificateState,
  type Trouble,
} from './certificate-life.ts';

/**
 * How long after a failure it is tried again, by failures in a row. With a staging authority every second try is a
 * rehearsal there, which counts against no limit; LIMITS hold in any case.
 *
 *   failures | wait in minutes                 | elapsed
 *   1–4      | 1, 2, 2, 5                      | 10 min
 *   5–8      | 10, 10, 10, 20                  | 1 h
 *   9–12     | 20, 20, 30, 30                  | 2 h 40 min
 *   13–16    | 60, 60, 60, 120                 | 7 h 40 min
 *   17–19    | 120, 180, 180                   | 15 h 40 min
 *   20 …     | 360                             |
 */
const WAITS_MINUTES = [1, 2, 2, 5, 10, 10, 10, 20, 20, 20, 30, 30, 60, 60, 60, 120, 120, 180, 180, 360];

/** Before anything is asked of an authority: DNS and router are often ready a moment later. */
const PREFLIGHT_WAITS_SECONDS = [2, 2, 3, 5, 5, 10, 10, 30, 60, 60, 300];

export interface Failure extends Trouble {
  /** What it was about, when that is known. */
  readonly challenge?: Challenge;
  /** The authority was asked; otherwise the failure was found before. */
  readonly directory?: string;
  readonly isRehearsal: boolean;
  /** The authority said when to come again, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** It counts against a limit of the authority: an authorization that failed. */
  readonly isCounted: boolean;
}

export function afterFailure(state: CertificateState, failure: Failure, now: number): CertificateState {
  const { directory, challenge, retryAfterMs, isCounted, isRehearsal } = failure;
  const failures = state.failures + (directory === undefined ? 0 : 1);
  const objections = directory === undefined ? state.objections + 1 : 0;
  const tableMs =
    directory === undefined
      ? ofTable(PREFLIGHT_WAITS_SECONDS, objections) * SECOND
      : ofTable(WAITS_MINUTES, failures) * MINUTE;
  const saidMs = Math.min(retryAfterMs ?? 0, LONGEST_WAIT_MS);
  // Another authority may be asked although this one wants to be left alone.
  const others = state.spec.authorities.filter((one) => one.directory !== directory);
  const isAlone = !others.some((other) => !isBlocked(state, other.directory, now));
  const wait = isAlone ? Math.max(tableMs, saidMs) : tableMs;
  const record = directory === undefined ? undefined : recordOf(state, directory);
  const failed = challenge === undefined ? state.failed : [...without(state.failed, challenge), challenge];
  const { message, hint } = failure;
  const { isRehearsed: _rehearsed, ...rest } = state;
  return {
    ...rest,
    failures,
    objections,
    failed,
    retryAt: now + wait,
    trouble: hint === undefined ? { message } : { message, hint },
    records:
      directory === undefined || record === undefined
        ? state.records
        : {
            ...state.records,
            [directory]: {
              ...record,
              failedAt: isCounted && !isRehearsal ? recent([...record.failedAt, now], now) : record.failedAt,
              ...(saidMs > 0 ? { blockedUntil: now + saidMs } : {}),
            },
          },
  };
}

function ofTable(table: readonly number[], failures: number): number {
  return table[Math.min(failures, table.length) - 1] ?? 0;
}

function without<Item>(items: readonly Item[], item: Item): Item[] {
  return items.filter((each) => each !== item);
}
