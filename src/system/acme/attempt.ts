import { baseOf, type Challenge } from '../../core/certificate.ts';
import { challengesInTurn, type Choice } from '../../core/certificate-choice.ts';
import type { Failure } from '../../core/certificate-failure.ts';
import type { Held } from '../../core/certificate-life.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Keys } from '../../core/ports.ts';
import { OpenedAuthority, type Accounts } from './authority.ts';
import { AuthorityError } from './authority-error.ts';
import type { Entry } from './memory.ts';
import { order, type Pending, type Prover } from './order.ts';
import { objectionTo, type Objection, type Surroundings } from './preflight.ts';
import { readCertificate } from './verify.ts';

export interface AttemptOptions {
  readonly entry: Entry;
  readonly choice: Extract<Choice, { directory: string }>;
  /** Only the order that was placed before. */
  readonly isResumed: boolean;
  readonly keys: Keys;
  readonly accounts: Accounts;
  readonly around: Surroundings;
  readonly prove: Prover;
  /** Resolves when it is durable. */
  readonly remember: (pending: Pending | undefined) => Promise<void>;
  /** Nothing speaks against it: the authority is asked now. */
  readonly asking: () => void;
  readonly now: () => number;
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

export type Outcome =
  | {
      readonly type: 'issued';
      readonly pem: string;
      readonly held: Held;
      readonly challenge: Challenge | undefined;
    }
  | { readonly type: 'rehearsed'; readonly challenge: Challenge | undefined }
  | { readonly type: 'failed'; readonly failure: Failure }
  /** The order that was placed before is of no use any more. */
  | { readonly type: 'gone' };

/** After so many objections that may be wrong it is tried all the same: about a minute. */
const OBJECTIONS_HEEDED = 8;

/** One try to get a certificate. Rejects only when aborted, or for a fault of ours. */
export async function attempt(options: AttemptOptions): Promise<Outcome> {
  const progress: { challenge?: Challenge } = {};
  try {
    return await tryOnce(options, progress);
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    const isTheirs = error instanceof AuthorityError || error.code === 'Unreachable';
    const isCounted = error instanceof AuthorityError && error.isProofRefused;
    // What failed there cannot be used again; what failed on the way may.
    if (isCounted) await options.remember(undefined);
    return {
      type: 'failed',
      failure: {
        ...failureOf(error, options, progress.challenge),
        isCounted,
        ...(isTheirs ? { directory: options.choice.authority.directory } : {}),
      },
    };
  }
}

function failureOf(
  error: GatewayError,
  { choice }: AttemptOptions,
  challenge: Challenge | undefined,
): Omit<Failure, 'isCounted' | 'directory'> {
  const retryAfterMs = error instanceof AuthorityError ? error.retryAfterMs : undefined;
  return {
    message: error.message,
    isRehearsal: choice.isRehearsal,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(challenge === undefined ? {} : { challenge }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

async function tryOnce(options: AttemptOptions, progress: { challenge?: Challenge }): Promise<Outcome> {
  const { choice, keys, accounts, signal } = options;
  const { authority, directory } = choice;
  const opened = await OpenedAuthority.open({ keys, accounts, authority, directory, signal });
  try {
    const challenges = await challengesFor(options, opened);
    if (!Array.isArray(challenges)) return { type: 'failed', failure: challenges };
    const profile = await profileFor(options, opened);
    options.asking();
    const pem = await placeOrder(options, opened, challenges, profile, progress);
    return pem === undefined ? { type: 'gone' } : await accept(options, pem, progress.challenge);
  } finally {
    opened.close();
  }
}

/** Those against which nothing speaks, best first; or what speaks against all. */
async function challengesFor(
  { entry: { state }, around, choice, signal }: AttemptOptions,
  opened: OpenedAuthority,
): Promise<Challenge[] | Failure> {
  const { meta } = await opened.directory();
  const asker = { identities: meta.caaIdentities ?? [], url: await opened.accountUrl() };
  const inTurn = challengesInTurn(state).filter(
    (challenge) => challenge !== 'dns-01' || around.holdsZone(baseOf(state.spec.name)),
  );
  const looks = await Promise.all(
    inTurn.map(async (challenge) => {
      // Rehearsals have another account than the one that CAA names.
      const seenBy = choice.isRehearsal ? { ...asker, identities: [] } : asker;
      return { challenge, objection: await objectionTo(challenge, state.spec.name, seenBy, around, signal) };
    }),
  );
  const isHeeded = state.objections < OBJECTIONS_HEEDED;
  const open = looks.filter(
    ({ objection }) => objection === undefined || (!isHeeded && !objection.isCertain),
  );
  if (open.length > 0 || looks.length === 0) return open.map(({ challenge }) => challenge);
  const [first, ...others] = looks.flatMap(({ objection }) => objection ?? []);
  return { ...sentenceOf(first, others), isRehearsal: choice.isRehearsal, isCounted: false };
}

function sentenceOf(
  first: Objection | undefined,
  others: readonly Objection[],
): { message: string; hint: string } {
  const messages = new Set([first, ...others].flatMap((objection) => objection?.message ?? []));
  return { message: [...messages].join('; '), hint: first?.hint ?? '' };
}

async function profileFor({ choice }: AttemptOptions, opened: OpenedAuthority): Promise<string | undefined> {
  const { profile } = choice.authority;
  const { profiles } = (await opened.directory()).meta;
  // An authority without profiles has one kind of certificate.
  if (profile === undefined || profiles === undefined) return undefined;
  if (Object.hasOwn(profiles, profile)) return profile;
  throw new AuthorityError(
    `${opened.host} has no profile ${profile}, only ${Object.keys(profiles).join(', ')}`,
    {
      hint: 'choose one of them as certificates.profile in gateway.yaml',
    },
  );
}

function placeOrder(
  options: AttemptOptions,
  opened: OpenedAuthority,
  challenges: readonly Challenge[],
  profile: string | undefined,
  progress: { challenge?: Challenge },
): Promise<string | undefined> {
  const { entry, choice, prove, remember, isResumed, patienceMs, signal } = options;
  const { held, spec } = entry.state;
  const replaces = held?.directory === choice.directory ? held.ariId : undefined;
  return order({
    authority: opened,
    directory: choice.directory,
    name: spec.name,
    profile,
    replaces,
    challenges,
    prove,
    pending: entry.pending,
    isResumed,
    remember,
    trying: (challenge) => {
      progress.challenge = challenge;
    },
    patienceMs,
    signal,
  });
}

/** A certificate that visitors would refuse is never kept, and its order not asked for again. */
async function accept(
  { choice, entry, now, remember }: AttemptOptions,
  pem: string,
  challenge: Challenge | undefined,
): Promise<Outcome> {
  try {
    const held = { ...readCertificate(pem, entry.state.spec.name, now()), directory: choice.directory };
    if (!choice.isRehearsal) return { type: 'issued', pem, held, challenge };
    await remember(undefined);
    return { type: 'rehearsed', challenge };
  } catch (error) {
    await remember(undefined);
    throw error;
  }
}
