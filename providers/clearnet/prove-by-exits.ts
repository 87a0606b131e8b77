import type { Context, Reach } from '../../src/core/contract.ts';
import { isAddress } from '../../src/core/domain.ts';
import type { Page } from './prove.ts';
import { HTTPS_OUTSIDE } from './spec.ts';

/**
 * Strangers who go where the name leads, and must be shown our certificate. It stands in public lists, and so does the
 * name: they learn nothing that a service at a public name still hides. Exits keep what they looked up for minutes, also
 * that there was nothing, so they are given the address where there is one alone.
 */
export async function proveByExits(
  { domain, fingerprint, addresses }: Page,
  { ports, signal }: Context,
): Promise<Reach> {
  // Visitors of an address say no name (RFC 6066 3).
  const servername = isAddress(domain) ? '' : domain;
  const [address, ...others] = addresses;
  const host = address !== undefined && others.length === 0 ? address : domain;
  const probe = { host, port: HTTPS_OUTSIDE, servername, fingerprints: [fingerprint] };
  const { reachable, detail } = await ports.exits.probeTls(probe, signal);
  if (reachable === 'unknown') return { reachable, vantage: 'none', detail };
  if (reachable === 'no') {
    const where = addresses.length === 0 ? domain : `${domain} (${addresses.join(', ')})`;
    const next = 'forward TCP 443 in the router to this machine, and see that the name points here';
    return { reachable, vantage: 'tor', detail: `at ${where} ${detail}: ${next}` };
  }
  const provedAt = new Date(ports.now()).toISOString();
  return { reachable, vantage: 'tor', provedAt, detail: `${domain} showed our certificate, ${detail}` };
}
