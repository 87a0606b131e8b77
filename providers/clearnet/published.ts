import type { Exposure, Fact, Observed, Published } from '../../src/core/contract.ts';
import { siteKey, type Options, type Spec } from './spec.ts';

export type Facts = Readonly<Record<string, Fact>>;

/** A browser finds the page: the name leads here, and there is a certificate to show. */
export function published({ service }: Exposure<Options>, observed: readonly Observed<Spec>[]): Published {
  const found = observed.find(({ key }) => key === siteKey(service.name));
  if (found === undefined) {
    return { status: 'unknown', reason: 'SiteMissing', message: 'HAProxy does not answer for it yet' };
  }
  const { facts } = found;
  if (facts['running'] !== true) {
    return { status: 'no', reason: 'EdgeNotRunning', message: 'HAProxy is not running; it is being started' };
  }
  if (facts['name'] !== 'right') {
    const status = facts['name'] === 'wrong' ? 'no' : 'unknown';
    return { status, reason: text(facts, 'nameReason'), message: text(facts, 'nameMessage') };
  }
  const trouble = certificateTrouble(facts);
  if (trouble !== undefined) return trouble;
  const until = text(facts, 'notAfter').slice(0, 10);
  const message = `${text(facts, 'nameMessage')}, and its certificate is good until ${until}`;
  return { status: 'yes', reason: 'NameAndCertificate', message };
}

/**
 * Why a browser would not trust the page; `undefined` when it would.
 *
 *   HAProxy shows one | what is held    | said
 *   ------------------+-----------------+--------------------------
 *   yes               | valid           | nothing
 *   either            | over            | why it was not renewed
 *   no                | none, not tried | it is being ordered
 *   no                | none, tried     | why there is none
 *   no                | valid           | it is being handed over
 */
export function certificateTrouble(facts: Facts): Published | undefined {
  const state = facts['certificate'];
  const isShown = facts['fingerprint'] !== undefined;
  const domain = text(facts, 'domain');
  if (isShown && state !== 'failing') return undefined;
  const why = text(facts, 'certificateProblem');
  if (state !== 'failing') {
    const next = state === 'valid' ? 'is being handed to HAProxy' : 'is being ordered';
    const message = `the certificate for ${domain} ${next}${why === '' ? '' : `: ${why}`}`;
    return { status: 'no', reason: 'CertificatePending', message };
  }
  const what = isShown
    ? `the certificate for ${domain} is over`
    : `there is no certificate for ${domain} yet`;
  return { status: 'no', reason: 'CertificateFailing', message: `${what}: ${why}` };
}

export function text(facts: Facts, name: string): string {
  const value = facts[name];
  return typeof value === 'string' ? value : '';
}
