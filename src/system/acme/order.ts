import { generateKeyPairSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { isIpName, type Challenge } from '../../core/certificate.ts';
import { GatewayError } from '../../core/errors.ts';
import { Secret } from '../../core/secret.ts';
import type { AcmeAuthorization, AcmeChallenge, AcmeOrder, OpenedAuthority } from './authority.ts';
import { AcmeProblem, AuthorityError, problemError } from './authority-error.ts';
import { loadAcme } from './exchange.ts';

/** An order that was placed: whatever ends the daemon, the next one goes on with it instead of placing another. */
export interface Pending {
  readonly directory: string;
  readonly url: string;
  /** Of the certificate, PEM. */
  readonly key: Secret<string>;
}

/** What is to be shown at a name, so that the authority sees whose it is. */
export type Proof =
  | { readonly type: 'http-01'; readonly name: string; readonly token: string; readonly response: string }
  /** Certificate and key; of an address it is asked for by its reverse name (RFC 8738 6). */
  | { readonly type: 'tls-alpn-01'; readonly name: string; readonly pem: string }
  /** `name` is that of the TXT record. */
  | { readonly type: 'dns-01'; readonly name: string; readonly value: string };

/** Shows it; resolves once the authority may look, with what takes it away again. */
export type Prover = (proof: Proof, signal: AbortSignal) => Promise<() => Promise<void>>;

export interface OrderOptions {
  readonly authority: OpenedAuthority;
  readonly directory: string;
  readonly name: string;
  readonly profile: string | undefined;
  /** Names the certificate that the new one replaces (RFC 9773 5). */
  readonly replaces: string | undefined;
  /** Best first. */
  readonly challenges: readonly Challenge[];
  readonly prove: Prover;
  readonly pending: Pending | undefined;
  /** Only the order that was placed; `undefined` when it is of no use any more. */
  readonly isResumed: boolean;
  /** Resolves when it is durable. */
  readonly remember: (pending: Pending | undefined) => Promise<void>;
  /** Told by which challenge the name is being proved. */
  readonly trying: (challenge: Challenge) => void;
  /** An order that takes longer is left as it is, and taken up again later. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

const POLL_MS = { first: 100, most: 5000, longest: 30_000 } as const;

/** Certificates, leaf first, and the key, as one PEM text. What was given is not checked yet. */
export async function order(options: OrderOptions): Promise<string | undefined> {
  const until = performance.now() + options.patienceMs;
  const taken = await take(options);
  if (taken === undefined) return undefined;
  const { pending, placed } = taken;
  if (placed.status === 'pending') await proveAll(options, placed, until);
  const ready = await settle(options, placed, ['ready', 'valid'], until);
  const done = ready.status === 'valid' ? ready : await finalize(options, ready, pending, until);
  const chain = await options.authority.call((client) => client.getCertificate(done));
  if (typeof chain !== 'string')
    throw new AuthorityError(`${options.authority.host} gave no certificate`, {});
  return `${chain.trim()}\n${pending.key.reveal().trim()}\n`;
}

/** The order that was placed before, where it can still become a certificate. */
async function take(options: OrderOptions): Promise<{ pending: Pending; placed: AcmeOrder } | undefined> {
  const { authority, directory, pending, remember, isResumed } = options;
  if (pending?.directory === directory) {
    const found = await find(authority, pending.url);
    if (found !== undefined) return { pending, placed: found };
  }
  if (isResumed) return undefined;
  if (pending !== undefined) await remember(undefined);
  const placed = await place(options);
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const fresh: Pending = { directory, url: placed.url, key: new Secret(privateKey) };
  await remember(fresh);
  return { pending: fresh, placed };
}

async function find(authority: OpenedAuthority, url: string): Promise<AcmeOrder | undefined> {
  try {
    const found = await getOrder(authority, url);
    return found.status === 'invalid' ? undefined : found;
  } catch (error) {
    // It is gone there: an authority that was set up anew, an order that is too old.
    if (error instanceof AuthorityError && !isPassing(error)) return undefined;
    throw error;
  }
}

function isPassing({ problem }: AuthorityError): boolean {
  return problem === 'rateLimited' || problem === 'serverInternal' || problem === 'badNonce';
}

async function place({ authority, name, profile, replaces }: OrderOptions): Promise<AcmeOrder> {
  const identifiers = [{ type: isIpName(name) ? 'ip' : 'dns', value: name }];
  const ask = (more: object): Promise<AcmeOrder> =>
    authority.call((client) => client.createOrder({ identifiers, ...more }));
  const terms = profile === undefined ? {} : { profile };
  if (replaces === undefined) return ask(terms);
  try {
    return await ask({ ...terms, replaces });
  } catch (error) {
    // Replaced already, or unknown to it: an order like any other (RFC 9773 5).
    if (!(error instanceof AuthorityError) || !REPLACED.has(error.problem)) throw error;
    return ask(terms);
  }
}

const REPLACED = new Set(['alreadyReplaced', 'malformed', 'conflict', 'serverInternal', 'unauthorized']);

async function getOrder(authority: OpenedAuthority, url: string): Promise<AcmeOrder> {
  return authority.call((client) => client.getOrder({ url } as AcmeOrder));
}

async function proveAll(options: OrderOptions, placed: AcmeOrder, until: number): Promise<void> {
  const authorizations = await options.authority.call((client) => client.getAuthorizations(placed));
  for (const authorization of authorizations) {
    if (authorization.status !== 'valid') await proveOne(options, placed, authorization, until);
  }
}

async function proveOne(
  options: OrderOptions,
  placed: AcmeOrder,
  authorization: AcmeAuthorization,
  until: number,
): Promise<void> {
  const { authority, challenges, prove, trying, signal } = options;
  const offered = authorization.challenges;
  const challenge = challenges.flatMap((type) => offered.find((one) => one.type === type) ?? [])[0];
  if (challenge === undefined) {
    const types = offered.map(({ type }) => type).join(', ');
    throw new AuthorityError(
      `${authority.host} wants ${options.name} proved by ${types}; ${challenges.join(', ') || 'none'} can be used`,
      {
        hint: 'open port 80 or 443 from outside, or tell the gateway who holds the zone (gateway name set)',
      },
    );
  }
  trying(challenge.type);
  const remove = await prove(await proofOf(authority, authorization, challenge), signal);
  try {
    await authority.call((client) => client.completeChallenge(challenge));
    await awaitAuthorization(options, placed, authorization.url, until);
  } finally {
    await remove();
  }
}

async function awaitAuthorization(
  { authority, name, signal }: OrderOptions,
  placed: AcmeOrder,
  url: string,
  until: number,
): Promise<void> {
  for (let wait: number = POLL_MS.first; ; wait = Math.min(wait * 2, POLL_MS.most)) {
    const [found] = await authority.call((client) =>
      client.getAuthorizations({ ...placed, authorizations: [url] }),
    );
    if (found?.status === 'valid') return;
    if (found?.status !== 'pending') throw failedAuthorization(authority.host, name, found);
    await pause(authority, wait, until, signal, `${authority.host} has not looked at ${name} yet`);
  }
}

const Challenges = z.object({
  challenges: z.array(z.object({ type: z.string(), error: AcmeProblem.optional() })),
});

function failedAuthorization(host: string, name: string, found: unknown): AuthorityError {
  const parsed = Challenges.safeParse(found);
  const failed = parsed.success ? parsed.data.challenges.find(({ error }) => error !== undefined) : undefined;
  const about = `${host} could not see that ${name} is ours${failed === undefined ? '' : ` (${failed.type})`}`;
  return problemError(about, failed?.error ?? AcmeProblem.parse({}), { isProofRefused: true });
}

async function finalize(
  options: OrderOptions,
  ready: AcmeOrder,
  { key }: Pending,
  until: number,
): Promise<AcmeOrder> {
  const { crypto } = await loadAcme();
  const [, csr] = await crypto.createCsr({ altNames: [options.name] }, key.reveal());
  const sent = await options.authority.call((client) => client.finalizeOrder(ready, csr));
  return sent.status === 'valid' ? sent : settle(options, ready, ['valid'], until);
}

/** Until the order is as wanted; `processing` may last. */
async function settle(
  { authority, name, signal }: OrderOptions,
  placed: AcmeOrder,
  wanted: readonly string[],
  until: number,
): Promise<AcmeOrder> {
  let found = placed;
  for (let wait: number = POLL_MS.first; ; wait = Math.min(wait * 2, POLL_MS.most)) {
    if (wanted.includes(found.status)) return found;
    if (found.status === 'invalid') {
      const problem = AcmeProblem.safeParse(found.error);
      const said = problem.success ? problem.data : AcmeProblem.parse({});
      throw problemError(`${authority.host} gave up the order for ${name}`, said);
    }
    await pause(
      authority,
      found === placed ? 0 : wait,
      until,
      signal,
      `the order for ${name} is still ${found.status} at ${authority.host}`,
    );
    found = await getOrder(authority, placed.url);
  }
}

async function pause(
  authority: OpenedAuthority,
  wait: number,
  until: number,
  signal: AbortSignal,
  what: string,
): Promise<void> {
  const asked = Math.min(authority.retryAfterMs ?? 0, POLL_MS.longest);
  if (performance.now() + asked > until) throw new AuthorityError(what, {});
  try {
    await sleep(wait === 0 ? 0 : Math.max(wait, asked), undefined, { signal });
  } catch (error) {
    throw new GatewayError('ordering was cancelled', { code: 'Aborted', retry: 'never', cause: error });
  }
}

async function proofOf(
  authority: OpenedAuthority,
  authorization: AcmeAuthorization,
  challenge: AcmeChallenge,
): Promise<Proof> {
  const { value } = authorization.identifier;
  const text = await authority.call((client) => client.getChallengeKeyAuthorization(challenge));
  const type: string = challenge.type;
  if (type === 'dns-01') return { type, name: `_acme-challenge.${value}`, value: text };
  if (type === 'http-01') return { type, name: value, token: challenge.token, response: text };
  const { crypto } = await loadAcme();
  const [key, certificate] = await crypto.createAlpnCertificate(
    authorization,
    text,
    await crypto.createPrivateEcdsaKey(),
  );
  return {
    type: 'tls-alpn-01',
    name: value,
    pem: `${certificate.toString()}\n${key.toString()}`,
  };
}
