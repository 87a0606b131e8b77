import type { Exposure, Observed, Published } from '../../src/core/contract.ts';
import { certificateTrouble, text } from '../../src/core/page-facts.ts';
import { siteKey, type Options, type Spec } from './spec.ts';

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
