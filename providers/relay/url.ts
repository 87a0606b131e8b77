import type { Address, Exposure, Observed } from '../../src/core/contract.ts';
import { text } from '../../src/core/page-facts.ts';
import { HTTPS, type Options, type Spec, wayKey } from './spec.ts';

/** What visitors type. What is no page has TLS around it, or a port of the relay to itself. */
export function addresses(
  { service, options }: Exposure<Options>,
  observed: readonly Observed<Spec>[],
): Address[] {
  const found = observed.find(({ key }) => key === wayKey(service.name));
  if (found?.spec.type !== 'way') return [];
  const { spec, facts } = found;
  if ('port' in spec) {
    const host = options.domain ?? text(facts, 'address');
    if (host === '') return [];
    const clientNeeds = [`a client that speaks what ${service.name} speaks`];
    return [{ url: `tcp://${host}:${spec.port}`, network: 'internet', clientNeeds }];
  }
  const { domain, mode } = spec;
  const port = Number(facts['tlsPort'] ?? HTTPS);
  const suffix = port === HTTPS ? '' : `:${port}`;
  const url = mode === 'http' ? `https://${domain}${suffix}` : `tls://${domain}:${port}`;
  const browser =
    options.access === 'devices' ? 'a device that was added, with its certificate' : 'any browser';
  const client = mode === 'http' ? browser : 'a client that speaks TLS';
  return [{ url, network: 'internet', clientNeeds: [client] }];
}
