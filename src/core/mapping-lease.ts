import { portKey, type PortSpec } from './mapper.ts';
import type { Doubt } from './mapping-doubt.ts';
import type { Lease, LeaseCheck, MappingRefusal, RouterMark } from './mapping.ts';

/**
 * The life of one mapping, as a pure machine: what happened goes in with the time and a random number, what is to be
 * done next, and when, comes out. Times are milliseconds since the epoch.
 *
 *   what happened                         | what follows
 *   the router gave a lease               | renew at a random point of 1/2 to 5/8 (RFC 6887 11.2.1), look every minute or two
 *   … until it is deleted (725, 402)      | said again every hour: some routers reap what is not used
 *   a renewal failed                      | back-off, and not later than half of what is left
 *   the lease ended without a renewal     | lost; asked again at once
 *   the epoch does not fit the clock      | lost (RFC 6887 8.5, RFC 6886 3.6); asked again at once
 *   another boot id, uptime went back     | the same
 *   the entry is gone or leads elsewhere  | the same
 *   another address outside               | asked again at once, to learn where we are now
 *   another gateway, or address of ours   | the old one is left; the new one is asked at once
 *   nothing was given                     | back-off (WAITS), sooner when the router announces itself
 */
export interface PortState {
  readonly spec: PortSpec;
  /** PCP's, for the life of the mapping. */
  readonly nonce: string;
  readonly held: Held | undefined;
  /** The last lease: what we would like again. */
  readonly last: Lease | undefined;
  /** When to ask for the mapping, or to renew it. */
  readonly askAt: number;
  /** When to look whether the router remembers; `undefined` without a lease. */
  readonly checkAt: number | undefined;
  /** In a row. */
  readonly failures: number;
  readonly trouble: Trouble | undefined;
  /** Port outside that people were told: the first one, or the one by which a device came in last. */
  readonly told: number | undefined;
  /** Port outside to ask for, whatever was held before; `undefined`: that, or what is wanted. */
  readonly wish: number | undefined;
  readonly doubt: Doubt | undefined;
  /** When visitors lost the way in; `undefined` while there is one, or before the first. */
  readonly closedAt: number | undefined;
}

export interface Held {
  readonly lease: Lease;
  readonly since: number;
  /** `undefined`: until it is deleted. */
  readonly expiresAt: number | undefined;
  readonly seen: { readonly mark: RouterMark; readonly at: number };
}

export interface Trouble {
  readonly refusal: MappingRefusal;
  readonly message: string;
  readonly hint?: string;
}

export type Step =
  | { readonly action: 'ask' | 'check'; readonly at: number }
  /** The lease ends then. */
  | { readonly action: 'end'; readonly at: number };

const SECOND = 1000;
export const LIFETIME_SECONDS = 3600;
/** A lease that is to last for ever is said again this often; also the longest wait for a renewal. */
const LONGEST_RENEWAL_MS = 3600 * SECOND;
/** A router that gives seconds must not have us ask all the time. */
const SHORTEST_RENEWAL_MS = 15 * SECOND;
/** RFC 6887 11.2.1. */
const SHORTEST_RETRY_MS = 4 * SECOND;
/** By PCP and NAT-PMP a look is one small packet each way; by UPnP it is an HTTP exchange of seven or eight. */
const CHECK_MS = { pcp: 60 * SECOND, 'nat-pmp': 60 * SECOND, upnp: 120 * SECOND } as const;
const FIRST_CHECK_MS = 60 * SECOND;
const CHECK_AGAIN_MS = 10 * SECOND;
/** After a failure in a row: a router that starts takes a minute or two; one that never answers is asked little. */
const WAITS = [1, 2, 5, 10, 10, 15, 15, 15, 15, 15, 15, 30, 30, 60, 60, 120, 300] as const;

export function begin(spec: PortSpec, nonce: string, now: number): PortState {
  const nothing = { held: undefined, last: undefined, checkAt: undefined, trouble: undefined };
  const known = { told: undefined, wish: undefined, doubt: undefined, closedAt: undefined };
  return { spec, nonce, ...nothing, ...known, askAt: now, failures: 0 };
}

/** What is to be done next, and when. */
export function nextStep({ askAt, checkAt, held }: PortState): Step {
  const ask: Step = { action: 'ask', at: askAt };
  const steps: Step[] = [ask];
  if (checkAt !== undefined) steps.push({ action: 'check', at: checkAt });
  if (held?.expiresAt !== undefined) steps.push({ action: 'end', at: held.expiresAt });
  return steps.reduce((first, step) => (step.at < first.at ? step : first), ask);
}

/** `random` is from 0 to 1. */
export function given(state: PortState, lease: Lease, now: number, random: number): PortState {
  const lifetime = lease.lifetimeSeconds * SECOND;
  const point = lifetime * (1 / 2 + random / 8);
  const wait = lifetime === 0 ? LONGEST_RENEWAL_MS : Math.min(point, LONGEST_RENEWAL_MS);
  return {
    ...state,
    held: {
      lease,
      since: now,
      expiresAt: lifetime === 0 ? undefined : now + lifetime,
      seen: { mark: { ...bootOf(state.held, lease), ...lease.mark }, at: now },
    },
    last: lease,
    askAt: now + Math.max(wait, SHORTEST_RENEWAL_MS),
    checkAt: now + FIRST_CHECK_MS,
    failures: 0,
    trouble: undefined,
    told: state.told ?? lease.externalPort,
    wish: undefined,
    closedAt: undefined,
  };
}

/** Which start of the router was announced last, which not every answer of it says. */
function bootOf(held: Held | undefined, { router }: Lease): RouterMark {
  const bootId = held?.lease.router === router ? held.seen.mark.bootId : undefined;
  return bootId === undefined ? {} : { bootId };
}

export function refused(state: PortState, trouble: Trouble, now: number): PortState {
  const failures = state.failures + 1;
  const wait = (WAITS[Math.min(failures, WAITS.length) - 1] ?? 300) * SECOND;
  const left = state.held?.expiresAt === undefined ? undefined : state.held.expiresAt - now;
  const most = left === undefined ? wait : Math.max(left / 2, SHORTEST_RETRY_MS);
  return { ...state, failures, trouble, askAt: now + Math.min(wait, most) };
}

/** Nothing holds any more: it is asked for at once. */
export function lost(state: PortState, now: number): PortState {
  const closedAt = state.closedAt ?? (state.held === undefined ? undefined : now);
  return { ...state, held: undefined, checkAt: undefined, askAt: now, failures: 0, closedAt };
}

/** The router was looked at, or announced itself. `why` is there when the mapping must be asked for again. */
export function looked(
  state: PortState,
  { mark, isThere, externalAddress, lifetimeSeconds }: LeaseCheck,
  now: number,
): { readonly state: PortState; readonly why?: string } {
  const { held } = state;
  if (held === undefined) return { state: { ...state, askAt: Math.min(state.askAt, now) } };
  const forgot = whyForgotten(held, mark, isThere, now);
  if (forgot !== undefined) return { state: lost(state, now), why: forgot };
  const { mark: known } = held.seen;
  const next: PortState = {
    ...state,
    held: { ...held, seen: { mark: { ...known, ...mark }, at: now } },
    checkAt: now + CHECK_MS[held.lease.protocol],
  };
  const before = held.lease.externalAddress;
  if (externalAddress !== undefined && before !== undefined && externalAddress !== before) {
    return { state: { ...next, askAt: now }, why: `its address outside is ${externalAddress} now` };
  }
  return { state: isShorter(held, lifetimeSeconds, now) ? { ...next, askAt: now } : next };
}

/**
 * The router said something to everybody, which is no answer: some do so each half minute and list nothing any more. Its
 * first word of a start may tell of one that we missed, so then it is asked at once.
 */
export function overheard(
  state: PortState,
  said: LeaseCheck,
  now: number,
): { readonly state: PortState; readonly why?: string } {
  const heard = looked(state, said, now);
  if (heard.state.held === undefined) return heard;
  const isFirst = said.mark.bootId !== undefined && state.held?.seen.mark.bootId === undefined;
  return { ...heard, state: { ...heard.state, checkAt: isFirst ? now : state.checkAt } };
}

/** Nobody answered the look: no reason to give the lease up, but to look again soon. */
export function unseen(state: PortState, now: number): PortState {
  return state.checkAt === undefined ? state : { ...state, checkAt: now + CHECK_AGAIN_MS };
}

function whyForgotten(
  { seen }: Held,
  mark: RouterMark,
  isThere: boolean | undefined,
  now: number,
): string | undefined {
  if (isThere === false) return 'its entry is gone';
  if (mark.bootId !== undefined && seen.mark.bootId !== undefined && mark.bootId !== seen.mark.bootId) {
    return 'the router restarted';
  }
  const { epochSeconds } = seen.mark;
  if (epochSeconds === undefined || mark.epochSeconds === undefined) return undefined;
  const elapsed = { ours: (now - seen.at) / SECOND, theirs: mark.epochSeconds - epochSeconds };
  return fits(elapsed) ? undefined : 'the router restarted, or forgot its mappings';
}

/** RFC 6887 8.5: a second back is allowed, and one part in sixteen of difference plus two seconds. */
function fits({ ours, theirs }: { readonly ours: number; readonly theirs: number }): boolean {
  if (theirs < -1) return false;
  return ours + 2 >= theirs - theirs / 16 && theirs + 2 >= ours - ours / 16;
}

/** A repeat that did not extend the lease (miniupnp 199): it ends much sooner than we were told. */
function isShorter({ expiresAt }: Held, lifetimeSeconds: number | undefined, now: number): boolean {
  if (expiresAt === undefined || lifetimeSeconds === undefined || lifetimeSeconds === 0) return false;
  return now + lifetimeSeconds * SECOND < expiresAt - FIRST_CHECK_MS;
}

/** For people: `UDP 51820`. */
export function nameOf(spec: PortSpec): string {
  return portKey(spec).toUpperCase().replace('/', ' ');
}
