import type { Context, Exposure, Observed, Reach } from '../../src/core/contract.ts';
import { isPublicUnicast } from '../../src/core/inet.ts';
import { certificateTrouble, noteProved, text, type Facts } from '../../src/core/page-facts.ts';
import { prove } from './prove.ts';
import { addressesOf } from './addresses.ts';
import { proveByExits } from './prove-by-exits.ts';
import { HTTPS_OUTSIDE, siteKey, type Options, type Spec } from './spec.ts';

/**
 * As a visitor elsewhere would: through a vantage outside, which carries a TLS handshake and cannot forge its answer.
 *
 *   relay   | exits of the Tor network | said
 *   --------+--------------------------+---------------------
 *   yes, no | not asked                | what the relay found
 *   others  | yes, no                  | what the exits found
 *   unknown | unknown                  | what the relay found
 *   none    | unknown                  | why nobody could look
 */
export async function reach(
  { service }: Exposure<Options>,
  observed: readonly Observed<Spec>[],
  context: Context,
): Promise<Reach> {
  const found = observed.find(({ key }) => key === siteKey(service.name));
  if (found === undefined) return unknown('HAProxy does not answer for it yet');
  const { facts } = found;
  if (facts['running'] !== true) return unknown('HAProxy is not running; it is being started');
  const trouble = certificateTrouble(facts);
  if (trouble !== undefined) return unknown(`${trouble.message}, so that no visit could succeed`);
  const { domain } = found.spec;
  const addresses = await publicAddresses(domain, context);
  const page = { domain, addresses, fingerprint: text(facts, 'fingerprint') };
  const beganAt = context.ports.now();
  const carried = await prove(page, context);
  const isDecided = carried !== undefined && carried.reachable !== 'unknown';
  // Nobody can go where the name leads; exits would remember for minutes that it leads nowhere.
  if (!isDecided && addresses.length === 0 && facts['name'] === 'wrong') {
    return carried ?? unknown(text(facts, 'nameMessage'));
  }
  const tried = isDecided ? carried : await proveByExits(page, context);
  if (tried.reachable === 'unknown') return carried ?? unknown(withoutVantage(facts, tried.detail));
  // Where the name leads elsewhere, a visit says nothing of our port.
  if (facts['name'] === 'right') await tellMapper(facts, tried, beganAt, context);
  if (tried.reachable === 'yes') await noteProved(domain, context);
  return tried;
}

/** A port that is open in the router, and lets nobody in, is asked for again. */
async function tellMapper(
  facts: Facts,
  { reachable, detail }: Reach,
  beganAt: number,
  { ports: { mapper }, signal }: Context,
): Promise<void> {
  const port = { transport: 'tcp', port: Number(facts['https'] ?? HTTPS_OUTSIDE) } as const;
  // Visitors of a page come to this port and no other.
  const visit = { reachable, externalPort: HTTPS_OUTSIDE, beganAt, detail, mayMove: false };
  await mapper.visited({ ...visit, port }, signal);
}

async function publicAddresses(domain: string, { ports, signal }: Context): Promise<readonly string[]> {
  const found = (await addressesOf(domain, ports, signal)) ?? [];
  return found.filter((address) => isPublicUnicast(address));
}

/** Nobody outside could look; what is known here is the next best advice. */
function withoutVantage(facts: Facts, why: string): string {
  const doubts = [
    ...(facts['name'] === 'right' ? [] : [text(facts, 'nameMessage')]),
    text(facts, 'portProblem'),
  ].filter((doubt) => doubt !== '');
  const [doubt] = doubts;
  return doubt ?? `nobody outside could look yet: ${why}; a relay of yours can: gateway relay join`;
}

function unknown(detail: string): Reach {
  return { reachable: 'unknown', vantage: 'none', detail };
}
