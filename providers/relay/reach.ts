import type { Context, Exposure, Observed, Reach } from '../../src/core/contract.ts';
import { certificateTrouble, noteProved, text } from '../../src/core/page-facts.ts';
import { provePage } from './prove.ts';
import { provePort } from './prove-port.ts';
import { carryTrouble } from './published.ts';
import { HTTPS, type Options, type Spec, wayKey } from './spec.ts';

/** As a visitor would: from the internet to the relay, through it and the tunnel, and back. */
export async function reach(
  { service }: Exposure<Options>,
  observed: readonly Observed<Spec>[],
  context: Context,
): Promise<Reach> {
  const found = observed.find(({ key }) => key === wayKey(service.name));
  if (found?.spec.type !== 'way') return unknown('there is no place for visitors by a relay yet');
  const { facts, spec } = found;
  const trouble = carryTrouble(facts);
  if (trouble !== undefined) return unknown(`${trouble.message}, so that no visit could succeed`);
  if ('port' in spec) {
    const { port, relays } = spec;
    const [address, number] = [text(facts, 'address'), Number(facts['number'])];
    return provePort({ port, relay: relays.join(' and '), address, number }, context);
  }
  const certificate = certificateTrouble(facts);
  if (certificate !== undefined) return unknown(`${certificate.message}, so that no visit could succeed`);
  const page = {
    domain: spec.domain,
    relay: spec.relays.join(' and '),
    address: text(facts, 'address'),
    port: Number(facts['tlsPort'] ?? HTTPS),
    fingerprint: text(facts, 'fingerprint'),
    isNameRight: facts['name'] === 'right',
  };
  const proved = await provePage(page, context);
  if (proved.reachable === 'yes') await noteProved(spec.domain, context);
  return proved;
}

function unknown(detail: string): Reach {
  return { reachable: 'unknown', vantage: 'none', detail };
}
