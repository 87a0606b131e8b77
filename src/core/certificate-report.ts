import type { CertificateProblem, CertificateReport } from './certificate.ts';
import { orderAt, type CertificateState, type Held } from './certificate-life.ts';

/** Why visitors do not get the one that is held. */
export interface Serving {
  readonly message: string;
  readonly retryAt: number;
}

/** A certificate as people see it, without what only a look at DNS tells. */
export function reportOf(
  state: CertificateState,
  serving: Serving | undefined,
  now: number,
): CertificateReport {
  const { spec, held, trouble, proved } = state;
  const isValid = held !== undefined && held.notBefore <= now + CLOCK_MS && now < held.notAfter;
  return {
    name: spec.name,
    state: isValid ? 'valid' : trouble === undefined ? 'ordering' : 'failing',
    ...(held === undefined ? NOTHING : heldOf(state, held, now)),
    challenge: proved ?? null,
    problem: problemOf(state, now) ?? (serving === undefined ? null : servingOf(serving)),
    caa: null,
  };
}

const NOTHING = {
  names: [],
  notBefore: null,
  notAfter: null,
  renewAt: null,
  issuer: null,
  fingerprint: null,
  authority: null,
};

function heldOf(
  state: CertificateState,
  held: Held,
  now: number,
): Omit<CertificateReport, 'name' | 'state' | 'challenge' | 'problem' | 'caa'> {
  const { names, notBefore, notAfter, issuer, fingerprint, directory: authority } = held;
  const renewAt = Math.max(orderAt(state, now).at, state.retryAt ?? 0);
  const times = { notBefore: textOf(notBefore), notAfter: textOf(notAfter), renewAt: textOf(renewAt) };
  return { names: [...names], ...times, issuer, fingerprint, authority };
}

function problemOf({ trouble, retryAt }: CertificateState, now: number): CertificateProblem | undefined {
  if (trouble === undefined) return undefined;
  return { message: trouble.message, hint: trouble.hint ?? null, retryAt: textOf(retryAt ?? now) };
}

function servingOf({ message, retryAt }: Serving): CertificateProblem {
  return { message, hint: null, retryAt: textOf(retryAt) };
}

/** What it may begin later than now and still count as begun. */
const CLOCK_MS = 5 * 60_000;

function textOf(time: number): string {
  return new Date(time).toISOString();
}
