import type { Config, ConfigService } from './config-schema.ts';
import type { Exposure, Problem } from './contract.ts';
import { DnsSettings } from './dns-config.ts';
import { zoneOf } from './names.ts';

interface Way extends Exposure {
  readonly provider: string;
  readonly problem?: Problem;
}

/**
 * One name under two ways in of one service: a name in DNS leads to one of them, unless it is told to lead to both.
 *
 *   zone under `dns` | `dns: both` | then
 *   -----------------+-------------+------------------------------------------------------------
 *   any              | yes         | both; records of a zone that we hold have both addresses
 *   yes              | no          | both; we say where the record stands
 *   no               | no          | the first of the order; the others are refused, DnsCannotMove
 */
export function refuseSecondNames<One extends Way>(config: Config, ways: readonly One[]): One[] {
  const zones = Object.keys(DnsSettings.parse(config.settings['dns'] ?? {}).zones);
  const services = new Map(config.services.map((service) => [service.name, service]));
  return ways.map((way) => {
    const service = services.get(way.service.name);
    const domain = domainOf(way);
    if (service === undefined || domain === undefined || way.problem !== undefined) return way;
    if (service.dns === 'both' || zoneOf(domain, zones) !== undefined) return way;
    const same = ways.filter((other) => {
      return other.service.name === service.name && other.problem === undefined && domainOf(other) === domain;
    });
    const [first = way.provider] = inOrder(
      same.map(({ provider }) => provider),
      service,
    );
    return first === way.provider ? way : { ...way, problem: cannotMove(way, first, domain) };
  });
}

/** Where there is a domain, every provider calls it that. */
function domainOf({ options }: Way): string | undefined {
  const domain = typeof options === 'object' && options !== null && 'domain' in options && options.domain;
  return typeof domain === 'string' ? domain : undefined;
}

/** Ways that are not in the order come last. */
function inOrder(providers: readonly string[], { fallback }: ConfigService): string[] {
  const placeOf = (provider: string): number => (fallback.indexOf(provider) + 1 || fallback.length + 1) - 1;
  return [...providers].sort((a, b) => placeOf(a) - placeOf(b));
}

function cannotMove({ service: { name }, provider }: Way, first: string, domain: string): Problem {
  return {
    code: 'DnsCannotMove',
    service: name,
    message: `${name} is not exposed through ${provider}: ${domain} leads to ${first} already, and the gateway cannot change its record in DNS`,
    hint: `tell who holds the zone (gateway name set), or write services.${name}.dns: both and set the addresses of both ways in DNS, or give ${provider} another domain`,
  };
}
