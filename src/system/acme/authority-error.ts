import { z } from 'zod';
import { GatewayError, messageOf } from '../../core/errors.ts';
import type { Answer } from './exchange.ts';

const PREFIX = 'urn:ietf:params:acme:error:';

/** RFC 7807, as ACME uses it (RFC 8555 6.7). Foreign text: bounded, and in one line. */
export const AcmeProblem = z.object({
  type: z.string().max(200).catch('').default(''),
  detail: z.string().catch('').default(''),
  subproblems: z
    .array(z.object({ detail: z.string().catch('').default('') }))
    .catch([])
    .default([]),
});
export type AcmeProblem = z.infer<typeof AcmeProblem>;

/** An authority said no, or something that cannot be used. */
export class AuthorityError extends GatewayError {
  /** Without its prefix: `rateLimited`. */
  readonly problem: string;
  readonly retryAfterMs: number | undefined;
  /** It looked, and did not see what it should: counts against its limits. */
  readonly isProofRefused: boolean;

  constructor(
    message: string,
    details: {
      problem?: string;
      retryAfterMs?: number | undefined;
      isProofRefused?: boolean;
      hint?: string;
      cause?: unknown;
    },
  ) {
    const { problem = '', retryAfterMs, isProofRefused = false, hint, cause } = details;
    const code = FINAL.has(problem) ? 'CertificateRefused' : 'CertificateNotNow';
    super(message, { code, ...(hint === undefined ? {} : { hint }), cause });
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
    this.isProofRefused = isProofRefused;
  }
}

/** It would be answered alike until something changes. */
const FINAL = new Set([
  'rejectedIdentifier',
  'unsupportedIdentifier',
  'externalAccountRequired',
  'unauthorized',
  'caa',
]);

/** What the owner can do about it. */
const HINTS: Readonly<Record<string, string>> = {
  rateLimited: 'its limit ends by itself; asking again sooner would be refused too',
  externalAccountRequired: 'set certificates.eab in gateway.yaml to what your account there shows',
  rejectedIdentifier: 'this authority gives no certificate for this name: choose another name, or another ca',
  unsupportedIdentifier: 'this authority gives no certificate for this kind of name: choose another ca',
  caa: 'a CAA record of the domain forbids it: gateway certificates shows the record that allows it',
  dns: 'the name has no address that the authority finds: look at its records',
  connection:
    'the authority could not connect from outside: look at gateway ports, and at the address of the name',
  unauthorized:
    'the authority got another answer than ours: the name, or port 80 or 443, leads to another machine',
  tls: 'the authority got no proper TLS answer: port 443 leads to another program',
};

export function problemError(
  about: string,
  problem: AcmeProblem,
  more: { readonly retryAfterMs?: number | undefined; readonly isProofRefused?: boolean } = {},
): AuthorityError {
  const word = problem.type.replace(PREFIX, '');
  const said = [problem.detail, ...problem.subproblems.map(({ detail }) => detail)].filter(
    (text) => text !== '',
  );
  const hint = HINTS[word];
  return new AuthorityError(`${about}: ${plain(said.join('; ') || word || 'no reason given')}`, {
    problem: word,
    ...more,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** What its client library threw, told with what the authority answered. */
export function translate(host: string, error: unknown, last: Answer | undefined): unknown {
  if (error instanceof GatewayError) return error;
  const problem = AcmeProblem.safeParse(last?.body);
  if (last !== undefined && last.status >= 400) {
    const said = problem.success ? problem.data : AcmeProblem.parse({});
    const about = said.detail === '' ? `${host} answered ${last.status}` : `${host} refused`;
    return problemError(about, said, { retryAfterMs: last.retryAfterMs });
  }
  return new AuthorityError(`${host} gave an answer that makes no sense: ${plain(messageOf(error))}`, {
    cause: error,
  });
}

function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').slice(0, 500);
}
