import type { Context } from '../../src/core/contract.ts';

export interface BlindFacts {
  /** What status says of it; absent: it cannot be told. */
  readonly blind?: string;
  /** How to close it; absent: it is closed. */
  readonly warning?: string;
}

/**
 * A relay cannot read what it carries. But visitors come to its address, and whoever has that can show an authority what it
 * asks for and obtain a certificate of their own for the name.
 *
 *   CAA records bind the name to our account and to its zone | status
 *   ----------------------------------------------------------+--------------------------------------
 *   yes                                                       | blind: proved
 *   no                                                        | relay could impersonate, and how not to
 *   it cannot be told, or there is no account yet             | nothing
 */
export async function blindFacts(
  domain: string,
  relays: string,
  { ports, signal }: Pick<Context, 'ports' | 'signal'>,
): Promise<BlindFacts> {
  const bound = await ports.certifier.zoneBound(domain, signal);
  if (bound === undefined || bound.published === 'unknown') return {};
  if (bound.published === 'yes') return { blind: 'blind: proved' };
  const warning = `the relay ${relays} cannot read what it carries, but whoever holds it could obtain a certificate for ${domain} and impersonate it; to close that, have the zone held by dns: in gateway.yaml and publish: ${bound.records.join(' and ')}`;
  return { blind: 'relay could impersonate', warning };
}
