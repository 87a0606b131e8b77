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
  const message = `${text(facts, 'nameMessage')}, and its certificate is in place`;
  return { status: 'yes', reason: 'NameAndCertificate', message };
}

/** Why a browser would not trust the page; `undefined` when it would. */
export function certificateTrouble(facts: Facts): Published | undefined {
  if (facts['fingerprint'] !== undefined) return undefined;
  const message = `there is no certificate for ${text(facts, 'domain')} yet`;
  return { status: 'no', reason: 'CertificatePending', message };
}

export function text(facts: Facts, name: string): string {
  const value = facts[name];
  return typeof value === 'string' ? value : '';
}
