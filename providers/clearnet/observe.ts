import type { Context, Fact, Observed } from '../../src/core/contract.ts';
import { agreedAddresses } from '../../src/core/home.ts';
import { portKey } from '../../src/core/mapper.ts';
import { isPublicUnicast } from '../../src/core/inet.ts';
import type { OperationResult } from '../../src/core/operations.ts';
import { certificateFacts } from '../../src/core/page-facts.ts';
import type { Ports } from '../../src/core/ports.ts';
import { addressesOf } from './addresses.ts';
import { judgeName, type NameState } from './name.ts';
import { HTTPS_OUTSIDE, siteKey, type Spec } from './spec.ts';

type Seen = OperationResult<'edge.observe'>;
type Site = NonNullable<Seen['edge']>['sites'][number];

/** The pages that the edge answers for, with what is known of name, certificate and port. */
export async function observe(context: Context): Promise<Observed<Spec>[]> {
  const { ports, signal } = context;
  const seen = await ports.helper.call('edge.observe', {}, signal);
  // Without ports of this machine they are reached by another way.
  const sites =
    seen.edge?.listen === undefined ? [] : seen.edge.sites.filter(({ only }) => only === undefined);
  return Promise.all(sites.map((site) => observeSite(site, seen, context)));
}

async function observeSite(
  { service, domain, mode }: Site,
  seen: Seen,
  { ports, signal }: Context,
): Promise<Observed<Spec>> {
  const isShared = (seen.edge?.tunnels ?? []).some(({ domains }) => domains.includes(domain));
  const name = await nameOf({ domain, isShared }, ports, signal);
  const shown = seen.certificates.find((one) => one.name === domain);
  const port = await routerFacts(seen, ports);
  const advice = [name.advice, port['portAdvice']].filter((each) => each !== undefined);
  const facts: Record<string, Fact> = {
    domain,
    running: seen.running,
    name: name.status,
    nameReason: name.reason,
    nameMessage: name.message,
    ...(shown === undefined ? {} : { fingerprint: shown.fingerprint }),
    ...(advice.length === 0 ? {} : { notice: `${service}: ${advice.join('; ')}` }),
    ...(seen.listen === undefined ? {} : { https: seen.listen.https }),
    ...(await certificateFacts(domain, ports)),
    ...port,
  };
  return { key: siteKey(service), spec: { service, domain, mode }, facts };
}

async function nameOf(
  { domain, isShared }: { readonly domain: string; readonly isShared: boolean },
  ports: Ports,
  signal: AbortSignal,
): Promise<NameState> {
  const [addresses, kept] = await Promise.all([addressesOf(domain, ports, signal), ports.names.kept()]);
  const known = ports.home.addresses();
  const told = known.map(({ address }) => address).filter((address) => isPublicUnicast(address));
  return judgeName({
    domain,
    addresses,
    home: agreedAddresses(known).ipv4,
    told: [...new Set(told)],
    home6: known.filter(({ family }) => family === 6).map(({ address }) => address),
    isShared,
    isKept: kept.some(({ name }) => name.name === domain),
  });
}

/** What the router says of the port that visitors come by; nothing while nobody asks it. */
async function routerFacts({ edge, listen, taken }: Seen, { mapper }: Ports): Promise<Record<string, Fact>> {
  if (listen === undefined) return {};
  const { https } = listen;
  const key = portKey({ transport: 'tcp', port: https });
  const report = (await mapper.kept()).find(({ spec }) => portKey(spec) === key)?.report;
  if (report === undefined) {
    if (https === edge?.listen?.https) return {};
    // Whoever forwards by hand must know; the router that is asked is led there by itself.
    const portAdvice = `${taken.join('; ')}, so forward port 443 in the router to port ${https} of this machine`;
    return { portAdvice, portProblem: portAdvice };
  }
  const { router, externalPort, problem, hint } = report;
  if (problem !== null) return { portProblem: hint === null ? problem : `${problem}; ${hint}` };
  if (externalPort === null || externalPort === HTTPS_OUTSIDE) return {};
  return {
    portProblem: `the router ${router ?? ''} leads port 443 to another machine already, and opened ${externalPort} instead, where no visitor comes: take that mapping away in the router (gateway ports shows it)`,
  };
}
