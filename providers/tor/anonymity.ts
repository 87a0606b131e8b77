import type { Exposure, Problem } from '../../src/core/contract.ts';
import type { Options } from './spec.ts';

/**
 * A service that does not hide where it is, though its privacy says that it must. It is held back, not hidden after all:
 * whoever asked for latency would not notice that they did not get it.
 */
export function anonymityProblem({ service, options }: Exposure<Options>): Problem | undefined {
  if (options.anonymity !== 'single-hop' || service.privacy === 'open') return undefined;
  return {
    code: 'PrivacyForbids',
    service: service.name,
    message: `${service.name} has privacy ${service.privacy} and gets no onion service with anonymity single-hop, which shows the relays of the Tor network the address of the home`,
    hint: `set services.${service.name}.expose.tor.anonymity to full, or its privacy to open`,
  };
}
