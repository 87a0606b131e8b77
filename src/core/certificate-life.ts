import type { CertificateSpec, Challenge } from './certificate.ts';

/**
 * The life of one certificate, as a pure machine: what is known goes in with the time, what is to be done next, and
 * when, comes out. Times are milliseconds since the epoch; never a number of days, for lifetimes shrink (90, 64, 45
 * days, 160 hours).
 *
 *   the certificate                               | another one is ordered
 *   there is none, or it has ended                | now
 *   the owner asked for another                   | now
 *   it is of an authority that is not asked more  | now
 *   less than 1/20 of its life is left            | now, whatever the authority advises
 *   its authority advises a window (RFC 9773)     | at a moment of the window that was chosen at random
 *   it lives for less than 10 days                | when 1/2 of its life is left
 *   else                                          | when 1/3 of its life is left
 *
 * But never before `retryAt`, which a failure sets: see certificate-failure.ts.
 */
export interface CertificateState {
  readonly spec: CertificateSpec;
  readonly held?: Held;
  /** What the authority advised about the one that is held. */
  readonly window?: Window;
  /** The owner asked for another one. */
  readonly isForced?: boolean;
  /** In a row, at an authority. */
  readonly failures: number;
  /** In a row, of what was found before an authority was asked. */
  readonly objections: number;
  /** Nothing is ordered before. */
  readonly retryAt?: number;
  readonly trouble?: Trouble;
  /** The name was proved at the staging authority since the last failure: the next order is a real one. */
  readonly isRehearsed?: boolean;
  /** Challenge by which the name was proved last. */
  readonly proved?: Challenge;
  /** Challenges that failed since one worked; the last one failed last. */
  readonly failed: readonly Challenge[];
  /** By directory of the authority. */
  readonly records: Readonly<Record<string, AuthorityRecord>>;
}

export interface Held {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly names: readonly string[];
  readonly issuer: string;
  readonly fingerprint: string;
  /** Of the authority that gave it. */
  readonly directory: string;
  /** Names the certificate to its authority (RFC 9773 4.1). */
  readonly ariId?: string;
}

export interface Window {
  readonly of: string;
  /** Moment inside the window, chosen once for this window. */
  readonly renewAt?: number;
  readonly start?: number;
  readonly end?: number;
  readonly askAt: number;
  /** Page of the authority that says why. */
  readonly explanation?: string;
}

export interface Trouble {
  readonly message: string;
  readonly hint?: string;
}

/** What was asked of one authority for one name: its limits are met by us before they are met by it. */
export interface AuthorityRecord {
  readonly failedAt: readonly number[];
  readonly issuedAt: readonly number[];
  /** It said: not before. */
  readonly blockedUntil?: number;
}

export type Step =
  | { readonly action: 'order'; readonly at: number; readonly why: string }
  | { readonly action: 'ask-window'; readonly at: number };

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export function begin(spec: CertificateSpec): CertificateState {
  return { spec, failures: 0, objections: 0, failed: [], records: {} };
}

/** What is to be done next, and when; a time that is over means now. */
export function nextStep(state: CertificateState, now: number): Step {
  const { at, why } = orderAt(state, now);
  const order: Step = { action: 'order', at: Math.max(at, earliest(state, now)), why };
  const { held, window } = state;
  if (held?.ariId === undefined || order.at <= now) return order;
  const askAt = window?.of === held.ariId ? window.askAt : now;
  return askAt < order.at ? { action: 'ask-window', at: askAt } : order;
}

/** When another one is ordered, if nothing fails; shown to people. */
export function orderAt(state: CertificateState, now: number): { readonly at: number; readonly why: string } {
  const { held, window, spec } = state;
  if (held === undefined) return { at: now, why: 'there is none yet' };
  if (state.isForced === true) return { at: now, why: 'the owner asked for another one' };
  if (!spec.authorities.some(({ directory }) => directory === held.directory)) {
    return { at: now, why: 'another authority is to be asked' };
  }
  const lifetime = held.notAfter - held.notBefore;
  if (held.notAfter <= now) return { at: now, why: 'it has ended' };
  const last = held.notAfter - lifetime / 20;
  if (last <= now) return { at: now, why: 'it ends soon' };
  if (window?.of === held.ariId && window?.renewAt !== undefined) {
    return { at: Math.min(window.renewAt, last), why: 'its authority advises it' };
  }
  const isShort = lifetime < 10 * DAY;
  const left = isShort ? lifetime / 2 : lifetime / 3;
  return { at: held.notAfter - left, why: `${isShort ? 'half' : 'two thirds'} of its life is over` };
}

/** A clock that was set back, or a memory that was not ours, must not silence a name for ever. */
export const LONGEST_WAIT_MS = 8 * DAY;

function earliest({ retryAt }: CertificateState, now: number): number {
  return retryAt === undefined || retryAt > now + LONGEST_WAIT_MS ? now : retryAt;
}

/** The rehearsal went well: the real order follows at once. */
export function afterRehearsal(
  state: CertificateState,
  challenge: Challenge | undefined,
  now: number,
): CertificateState {
  return {
    ...state,
    ...(challenge === undefined ? {} : { proved: challenge }),
    isRehearsed: true,
    retryAt: now,
  };
}

export function afterSuccess(
  state: CertificateState,
  held: Held,
  challenge: Challenge | undefined,
  now: number,
): CertificateState {
  const record = recordOf(state, held.directory);
  const { spec, proved = challenge } = state;
  return {
    spec,
    held,
    failures: 0,
    objections: 0,
    failed: [],
    ...(proved === undefined ? {} : { proved: challenge ?? proved }),
    records: {
      ...state.records,
      [held.directory]: {
        failedAt: recent(record.failedAt, now),
        issuedAt: recent([...record.issuedAt, now], now),
      },
    },
  };
}

/** As it would be after a failure, but what was found may be gone, because the owner did something. */
export function encouraged(state: CertificateState): CertificateState {
  if (state.objections === 0) return state;
  const { retryAt: _retryAt, ...rest } = state;
  return { ...rest, objections: 0 };
}

/** The owner wants another one now; what an authority said about when to come again still holds. */
export function forced(state: CertificateState): CertificateState {
  const { retryAt: _retryAt, ...rest } = state;
  return { ...rest, isForced: true };
}

/** Other terms: what failed before says nothing of them. Limits stay. */
export function withSpec(state: CertificateState, spec: CertificateSpec): CertificateState {
  const { retryAt: _retryAt, trouble: _trouble, isRehearsed: _isRehearsed, ...rest } = state;
  return { ...rest, spec, failures: 0, objections: 0, failed: [] };
}

const SHORTEST_WINDOW_ASK_MS = 60 * SECOND;
const LONGEST_WINDOW_ASK_MS = DAY;
/** RFC 9773 4.3.2: each six hours, where nothing is said. */
export const WINDOW_ASK_MS = 6 * HOUR;

/** What the authority advised. `random` is from 0 to 1. */
export function withWindow(
  state: CertificateState,
  advice:
    | {
        readonly start: number;
        readonly end: number;
        readonly retryAfterMs?: number;
        readonly explanation?: string;
      }
    | undefined,
  now: number,
  random: number,
): CertificateState {
  const of = state.held?.ariId;
  if (of === undefined) return state;
  const wait = advice?.retryAfterMs ?? WINDOW_ASK_MS;
  const askAt = now + Math.min(Math.max(wait, SHORTEST_WINDOW_ASK_MS), LONGEST_WINDOW_ASK_MS);
  const before = state.window?.of === of ? state.window : undefined;
  // An authority that does not answer has not changed its mind.
  if (advice === undefined) return { ...state, window: { ...before, of, askAt } };
  const { start, end, explanation } = advice;
  const isSame = before?.start === start && before.end === end;
  const renewAt = isSame && before.renewAt !== undefined ? before.renewAt : start + random * (end - start);
  return {
    ...state,
    window: { of, start, end, renewAt, askAt, ...(explanation === undefined ? {} : { explanation }) },
  };
}

export function recordOf({ records }: CertificateState, directory: string): AuthorityRecord {
  return records[directory] ?? { failedAt: [], issuedAt: [] };
}

/** The longest limit is of a week. What lies in the future was written before the clock was set back. */
export function recent(times: readonly number[], now: number): number[] {
  return times.filter((time) => time > now - 7 * DAY && time <= now).slice(-50);
}
