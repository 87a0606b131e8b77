import { deviceBlock } from '../core/allocate.ts';
import type { Applied, AppliedService } from '../core/applied.ts';
import { canonical } from '../core/plan.ts';
import type { EdgeDoor, EdgeOnion, EdgeRoute, EdgeSite, EdgeSpec, EdgeTunnel } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { onionInstanceOf } from '../core/tor-instance.ts';

type Services = Readonly<Record<string, AppliedService>>;

/** What the edge may be asked for: the ways in that the config names, and nothing more. */
export function edgeRule(
  { devices, source, pool, listen, routes, sites, tunnels = [], onions = [], ...rest }: EdgeSpec,
  { services, network, listen: allowed, edgeTunnels = [] }: Applied,
): string | undefined {
  if (devices !== deviceBlock(network.pool)) return `letting ${devices} in through the edge`;
  if (source !== network.edge || pool !== network.pool) return `connections of the edge from ${source}`;
  if (listen !== undefined && (listen.https !== allowed?.https || listen.http !== allowed.http)) {
    return `letting visitors in at the ports ${listen.https} and ${listen.http}`;
  }
  const given = new Map(
    Object.entries(services).map(([name, { domains = [] }]) => [name, new Set(domains.map(canonical))]),
  );
  const wrong = [
    doorsRule(rest.doors, services, network),
    ...routes.map((route) => routeRule(route, services)),
    ...sites.map((site) => siteRule(site, services, given)),
    ...tunnels.map((tunnel) => tunnelRule(tunnel, network.hub, edgeTunnels)),
    ...onions.map((onion) => onionRule(onion, services)),
  ];
  return wrong.find((each) => each !== undefined);
}

/** A route leads from a service's own address to the machine that the config names, and nowhere else. */
function routeRule({ service: name, address, port, to }: EdgeRoute, services: Services): string | undefined {
  const service = services[name];
  const isJustified =
    service?.place.type === 'target' &&
    address === service.address &&
    port === service.port &&
    to.host === service.place.host &&
    to.port === service.port;
  return isJustified ? undefined : `a route ${name} from ${address}:${port} to ${to.host}:${to.port}`;
}

/** A web name leads to the port of the service that the config gives it to, and lets in whom the config lets in. */
function siteRule(
  { service: name, to, ...asked }: EdgeSite,
  services: Services,
  given: ReadonlyMap<string, ReadonlySet<string>>,
): string | undefined {
  const service = services[name];
  const isJustified =
    service !== undefined &&
    given.get(name)?.has(canonical(asked)) === true &&
    to.port === service.port &&
    hostsOf(service).includes(to.host);
  return isJustified
    ? undefined
    : `the web name ${asked.domain} that leads to ${name} at ${to.host}:${to.port}`;
}

/** Visitors of one relay, from the hub, at names that the config gives it. */
function tunnelRule(tunnel: EdgeTunnel, hub: string, allowed: readonly EdgeTunnel[]): string | undefined {
  const isJustified = tunnel.from === hub && allowed.some((each) => canonical(each) === canonical(tunnel));
  return isJustified ? undefined : `visitors of relay ${tunnel.number} at ${tunnel.domains.join(', ')}`;
}

/** Less than was applied may be asked for: a kernel that has no IPv6 any more. */
function isSameNetwork({ ula, ...asked }: Network, { ula: applied, ...rest }: Network): boolean {
  return canonical(asked) === canonical(rest) && (ula === undefined || ula === applied);
}

function doorsRule(doors: EdgeSpec['doors'], services: Services, network: Network): string | undefined {
  if (doors === undefined) return undefined;
  if (!isSameNetwork(doors.network, network)) {
    return `devices brought to the edge through the hub of ${doors.network.prefix}`;
  }
  return doors.services.map((door) => doorRule(door, services)).find((each) => each !== undefined);
}

/** From a service's own address to where it listens; which device comes there is the hub's question. */
function doorRule({ service: name, address, port, to }: EdgeDoor, services: Services): string | undefined {
  const service = services[name];
  const isJustified =
    service !== undefined &&
    address === service.address &&
    port === service.port &&
    to.port === service.port &&
    hostsOf(service).includes(to.host);
  return isJustified
    ? undefined
    : `devices brought from ${address}:${port} to ${name} at ${to.host}:${to.port}`;
}

/** To the service's own port, and from the tor process that may serve it alone. */
function onionRule({ service: name, instance, to }: EdgeOnion, services: Services): string | undefined {
  const service = services[name];
  const { privacy = 'open', isSingleHop = false } = service ?? {};
  const isJustified =
    service !== undefined &&
    to.port === service.port &&
    hostsOf(service).includes(to.host) &&
    instance === onionInstanceOf({ privacy }, isSingleHop);
  return isJustified
    ? undefined
    : `visitors of an onion service ${name} of the process ${instance} at ${to.host}:${to.port}`;
}

/** Only names that the config has, and wildcards that hold one of them. */
export function certificateRule(name: string, services: Services): string | undefined {
  const domains = Object.values(services).flatMap((service) => service.domains ?? []);
  const isCovered = domains.some(
    ({ domain }) => domain === name || (name.startsWith('*.') && parentOf(domain) === name.slice(2)),
  );
  return isCovered ? undefined : `a certificate for ${name}`;
}

function parentOf(domain: string): string {
  return domain.slice(domain.indexOf('.') + 1);
}

/** Where a service listens, as the host's namespace sees it. */
export function hostsOf({ place, address }: AppliedService): readonly string[] {
  if (place.type === 'target') return [place.host];
  return place.type === 'host' ? [address, '127.0.0.1', '::1'] : [address];
}
