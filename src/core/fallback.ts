import { z } from 'zod';
import type { Tri } from './contract.ts';

/** What is known of one way in at one moment. Times are milliseconds since the epoch. */
export interface WaySeen {
  readonly provider: string;
  readonly reachable: Tri;
  /** First of the visits in a row that all said this; its beginning, where a visit tries more than once. */
  readonly sinceMs: number;
  /** Last of them. */
  readonly seenMs: number;
  /** What the last one found, for people. */
  readonly detail: string;
}

/** Which way in of a service is in use, and how that came. */
const Decision = z.strictObject({
  /** Provider id. */
  way: z.string(),
  /** It was the first choice then: another that is put before it by the owner did not fail. */
  isFirst: z.boolean(),
  sinceMs: z.number(),
  why: z.string(),
  /** How often in a row a way failed again soon after it had come back; each doubles how long it must hold. */
  flaps: z.int().min(0),
  /** When a better way came back last. */
  releasedMs: z.number().optional(),
});
export type Decision = Readonly<z.infer<typeof Decision>>;

export function writeDecision(decision: Decision): string {
  return JSON.stringify(decision);
}

/** `undefined` when it is none. */
export function readDecision(text: string): Decision | undefined {
  try {
    return Decision.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export interface Outcome {
  readonly decision: Decision;
  /** Present when another way is in use than before. */
  readonly change?: 'engaged' | 'released';
  /** Not the first choice. */
  readonly isFallback: boolean;
  /** Some way works. */
  readonly isOpen: boolean;
  /** No way works as far as anybody knows, and the one in use does not. */
  readonly isDark: boolean;
  /** What visitors are told, best first: the way in use, and a proved one where that is not proved itself. */
  readonly advertised: readonly string[];
  /** A visit of this way from then on could change the decision; no other, and none before, by time alone. */
  readonly nextLook?: { readonly provider: string; readonly atMs: number };
}

/** Visits over this time must agree that a way fails: one may be lost, three in a row are not. */
export const ENGAGE_MS = 3000;
/** Visits over this time must agree that a better way works again; doubled with each flap. */
export const RELEASE_MS = 30_000;
const MOST_RELEASE_MS = 30 * 60_000;
/** A way that held for this long has come back for good. */
export const CALM_MS = 60 * 60_000;

/**
 * Which way in of a service is in use. Pure; the order of `seen` never matters, and neither does the clock: how long a way
 * has failed or worked is counted from visit to visit, so that silence decides nothing.
 *
 *   way in use      | a better way works  | another way works | then
 *   ----------------+---------------------+-------------------+-------------------------------
 *   none yet        | –                   | –                 | the first of the order
 *   first before    | –                   | –                 | the owner has another first choice: that one
 *   not allowed now | –                   | yes               | the first that works
 *   not allowed now | –                   | no                | the first of the order
 *   works, unknown  | long enough         | –                 | release: that better way
 *   works, unknown  | not, not for long   | –                 | stays
 *   fails for long  | –                   | yes               | engage: the first that works
 *   fails for long  | –                   | no                | stays; the service is dark
 *   fails, not long | long enough         | –                 | release: that better way
 *   fails, not long | not, not for long   | –                 | stays; the first that works is told along
 *
 * "Unknown" is never failure. `order` holds only ways that exist and that the service's privacy rule allows.
 */
export function decideFallback(
  order: readonly string[],
  seen: readonly WaySeen[],
  before: Decision | undefined,
  nowMs: number,
): Outcome | undefined {
  const [first] = order;
  if (first === undefined) return undefined;
  const known = order.flatMap((way) => seen.find(({ provider }) => provider === way) ?? []);
  const isOusted = before !== undefined && before.isFirst && before.way !== first;
  const start =
    before === undefined || isOusted ? firstChoice(first, nowMs) : stillOpen(order, known, before, nowMs);
  const decision = move(order, known, start, nowMs);
  const isMoved = decision.way !== start.way;
  const isBack = isMoved && order.indexOf(decision.way) < order.indexOf(start.way);
  return {
    decision,
    ...(isMoved ? { change: isBack ? ('released' as const) : ('engaged' as const) } : {}),
    isFallback: decision.way !== first,
    isOpen: known.some(works),
    isDark: !known.some(works) && stateOf(known, decision.way) === 'no',
    advertised: advertisedWith(known, decision.way),
    ...nextLookOf(order, known, decision),
  };
}

function firstChoice(way: string, nowMs: number): Decision {
  return { way, isFirst: true, sinceMs: nowMs, why: 'it is the first choice', flaps: 0 };
}

/** What was in use, unless that is no way in any more. */
function stillOpen(
  order: readonly string[],
  known: readonly WaySeen[],
  before: Decision,
  nowMs: number,
): Decision {
  if (order.includes(before.way)) return before;
  const way = known.find(works)?.provider ?? order[0] ?? before.way;
  const why = `${before.way} is no way in any more`;
  return { ...before, way, isFirst: way === order[0], sinceMs: nowMs, why };
}

function move(
  order: readonly string[],
  known: readonly WaySeen[],
  before: Decision,
  nowMs: number,
): Decision {
  const better = order.slice(0, order.indexOf(before.way));
  const needMs = releaseAfterMs(before.flaps);
  const back = known.find((way) => better.includes(way.provider) && works(way) && lastedMs(way) >= needMs);
  if (back !== undefined) {
    const why = `${back.provider} works again: ${back.detail}`;
    return { ...before, ...inUse(order, back, nowMs), why, releasedMs: nowMs };
  }
  const own = known.find(({ provider }) => provider === before.way);
  const next = known.find(works);
  if (own?.reachable !== 'no' || lastedMs(own) < ENGAGE_MS || next === undefined) return before;
  const why = `${before.way}: ${own.detail}`;
  const isBack = better.includes(next.provider);
  const past = isBack ? { releasedMs: nowMs } : { flaps: flapsAfter(before, nowMs) };
  return { ...before, ...inUse(order, next, nowMs), why, ...past };
}

function inUse(
  order: readonly string[],
  { provider }: WaySeen,
  nowMs: number,
): Pick<Decision, 'way' | 'isFirst' | 'sinceMs'> {
  return { way: provider, isFirst: provider === order[0], sinceMs: nowMs };
}

/** A way that fails soon after it came back is trusted later the next time. */
function flapsAfter({ flaps, releasedMs }: Decision, nowMs: number): number {
  return releasedMs !== undefined && nowMs - releasedMs < CALM_MS ? flaps + 1 : 0;
}

/** How long a better way must work before it is in use again. */
export function releaseAfterMs(flaps: number): number {
  return Math.min(RELEASE_MS * 2 ** flaps, MOST_RELEASE_MS);
}

function advertisedWith(known: readonly WaySeen[], way: string): string[] {
  const other = stateOf(known, way) === 'yes' ? undefined : known.find(works);
  return other === undefined ? [way] : [way, other.provider];
}

function nextLookOf(
  order: readonly string[],
  known: readonly WaySeen[],
  { way, flaps }: Decision,
): Pick<Outcome, 'nextLook'> {
  const better = order.slice(0, order.indexOf(way));
  const looks = known.flatMap(({ provider, reachable, sinceMs }) => {
    if (better.includes(provider) && reachable === 'yes') {
      return [{ provider, atMs: sinceMs + releaseAfterMs(flaps) }];
    }
    return provider === way && reachable === 'no' ? [{ provider, atMs: sinceMs + ENGAGE_MS }] : [];
  });
  const [nextLook] = looks.sort((a, b) => a.atMs - b.atMs);
  return nextLook === undefined ? {} : { nextLook };
}

function stateOf(known: readonly WaySeen[], way: string): Tri {
  return known.find(({ provider }) => provider === way)?.reachable ?? 'unknown';
}

function works({ reachable }: WaySeen): boolean {
  return reachable === 'yes';
}

function lastedMs({ sinceMs, seenMs }: WaySeen): number {
  return seenMs - sinceMs;
}
