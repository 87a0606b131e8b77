import { deviceBlock } from '../../core/allocate.ts';
import type { Compiled, CompileInput, Problem, Resource, SiteWant, Want } from '../../core/contract.ts';
import type {
  EdgeClient,
  EdgeDoor,
  EdgeOnion,
  EdgeRoute,
  EdgeSite,
  EdgeSpec,
  EdgeTunnel,
} from '../../core/operations.ts';
import type { Device, Network, Service } from '../../core/service.ts';

/**
 * `edge:haproxy`: HAProxy runs, and has loaded exactly these routes, sorted by service, but those that it cannot bind,
 * and these sites, sorted by domain.
 * `route:printer`: it has bound this one. A resource of its own, so that a port that is taken marks that service alone.
 * `client:phone`: it lets in this device, which shows a certificate, at the sites of these services.
 */
export type Spec =
  | ({ readonly type: 'edge' } & EdgeSpec)
  | { readonly type: 'route'; readonly service: string }
  | ({ readonly type: 'client' } & EdgeClient);

export const EDGE_KEY = 'edge:haproxy';
const AUTHORITY = 'authority';

/**
 * One process for all services on other machines and all web names, as long as somebody needs one of them. Once it has
 * carried somebody on to a service it stays until that one is removed: with the process what is open would end, though
 * its way in was closed for new connections alone. The ledger remembers them: `route/<service>`, `site/<service>`,
 * `onion/<service>`, `door/<service>`.
 * `authority` is the certificate of who made those of devices, for good.
 */
export function compile({ network, services, devices, wants, ledger }: CompileInput): Compiled<Spec> {
  const mine = wants.filter((want) => want.part === 'edge');
  const wanted = new Set(mine.filter(({ type }) => type === 'route').map(({ service }) => service));
  const routes = services
    .filter(({ name }) => wanted.has(name))
    .flatMap(routeOf)
    .sort((a, b) => (a.service < b.service ? -1 : 1));
  const asked = mine.filter((want) => want.type === 'site');
  const { sites, problems } = sitesOf(asked, services);
  const forDevices = new Set(
    sites.filter(({ access }) => access === 'devices').map(({ service }) => service),
  );
  const authority = ledger[AUTHORITY];
  const onions = onionsOf(mine, services);
  const doors = doorsOf(mine, services);
  const listen = asked.find((want) => want.listen !== undefined)?.listen;
  const spec = {
    type: 'edge',
    devices: deviceBlock(network.pool),
    source: network.edge,
    pool: network.pool,
    routes,
    sites,
    ...(onions.length === 0 ? {} : { onions }),
    ...(doors.length === 0 ? {} : { doors: { network, services: doors } }),
    ...(listen === undefined ? {} : { listen }),
    ...tunnelsOf(network, asked, sites),
    ...(typeof authority === 'string' && forDevices.size > 0 ? { authority } : {}),
  } as const;
  const keep = services.flatMap(remembered);
  const users = new Set([
    ...routes.map(({ service }) => `route/${service}`),
    ...sites.map(({ service }) => `site/${service}`),
    ...onions.map(({ service }) => `onion/${service}`),
    ...doors.map(({ service }) => `door/${service}`),
  ]);
  const held = keep.filter(([key]) => users.has(key) || ledger[key] !== undefined);
  const neededBy = [...new Set(held.map(([, name]) => name))].sort();
  const bound = routes.map(({ service }) => routeResource(service));
  const nodes = new Set(services.filter(({ kind }) => kind === 'lnd').map(({ name }) => name));
  // Without an authority nobody is asked for a certificate.
  const shown = authority === undefined ? [] : devices;
  const clients = shown.flatMap((device) => clientResource(device, forDevices, nodes));
  const kept = authority === undefined ? [] : [[AUTHORITY, authority] as const];
  return {
    resources: neededBy.length === 0 ? [] : [{ key: EDGE_KEY, spec, neededBy }, ...bound, ...clients],
    wants: [],
    problems,
    ledger: Object.fromEntries([...held.map(([key]) => [key, 'yes'] as const), ...kept]),
  };
}

/** Keys of the ledger, each with its service. */
function remembered({ name, place }: Service): (readonly [string, string])[] {
  const types = [...(place.type === 'target' ? ['route'] : []), 'site', 'onion', 'door'];
  return types.map((type) => [`${type}/${name}`, name] as const);
}

function clientResource(
  { name, certificate, services, rights = [] }: Device,
  forDevices: ReadonlySet<string>,
  nodes: ReadonlySet<string>,
): Resource<Spec>[] {
  const mine = services.filter((service) => forDevices.has(service)).sort();
  if (certificate === undefined || mine.length === 0) return [];
  const unlocks = rights.includes('lnd:unlock') ? mine.filter((service) => nodes.has(service)) : [];
  const may = unlocks.length === 0 ? {} : { unlocks };
  const spec = { type: 'client', name, fingerprint: certificate, services: mine, ...may } as const;
  return [{ key: `client:${name}`, spec, neededBy: mine, label: name }];
}

function routeResource(service: string): Resource<Spec> {
  return { key: `route:${service}`, spec: { type: 'route', service }, neededBy: [service] };
}

function routeOf({ name, address, port, place }: Service): EdgeRoute[] {
  if (place.type !== 'target') return [];
  return [{ service: name, address, port, to: { host: place.host, port } }];
}

/** In the order of their names. */
function onionsOf(wants: readonly Want[], services: readonly Service[]): EdgeOnion[] {
  const byName = new Map(services.map((service) => [service.name, service]));
  return wants
    .filter((want) => want.part === 'edge' && want.type === 'onion')
    .flatMap(({ service, instance }) => {
      const found = byName.get(service);
      return found === undefined ? [] : [{ service, instance, ...backendOf(found), to: { ...found.dial } }];
    })
    .sort((a, b) => (a.service < b.service ? -1 : 1));
}

/** In the order of their names. */
function doorsOf(wants: readonly Want[], services: readonly Service[]): EdgeDoor[] {
  const asked = wants.filter((want) => want.part === 'edge' && want.type === 'door');
  const wanted = new Set(asked.map(({ service }) => service));
  return services
    .filter(({ name }) => wanted.has(name))
    .map((service) => {
      const { name, address, port, dial } = service;
      return { service: name, ...backendOf(service), address, port, to: { ...dial } };
    })
    .sort((a, b) => (a.service < b.service ? -1 : 1));
}

/** A name belongs to the first service that asks for it, by name; the stricter of two ways to let visitors in holds. */
function sitesOf(
  wants: readonly SiteWant[],
  services: readonly Service[],
): { readonly sites: EdgeSite[]; readonly problems: Problem[] } {
  const byName = new Map(services.map((service) => [service.name, service]));
  const known = wants.filter(({ service }) => byName.has(service));
  const groups = [...Map.groupBy(known, ({ domain }) => domain)].sort(([a], [b]) => (a < b ? -1 : 1));
  const decided = groups.map(([domain, group]) => {
    const owner = group.map(({ service }) => service).sort()[0] ?? '';
    return { domain, owner, group };
  });
  const sites = decided.flatMap(({ domain, owner, group }): EdgeSite[] => {
    const service = byName.get(owner);
    const asked = group.filter((want) => want.service === owner);
    const [first] = asked;
    if (service === undefined || first === undefined) return [];
    const access = asked.some((want) => want.access === 'devices') ? 'devices' : 'anyone';
    const nature = first.mode === 'http' ? { ...natureOf(service.kind), ...backendOf(service) } : {};
    const onion = asked.some((want) => want.onionLocation === true) ? { onionLocation: true as const } : {};
    const only = asked.every(({ via }) => via === 'relay') ? { only: 'relay' as const } : {};
    const strict = asked.some((want) => want.strict === 'off') ? { strict: 'off' as const } : {};
    const extras = { ...nature, ...onion, ...only, ...strict };
    return [{ service: owner, domain, mode: first.mode, access, ...extras, to: { ...service.dial } }];
  });
  return { sites, problems: decided.flatMap(takenNames) };
}

/** Each relay is answered for the names that were given to it. */
function tunnelsOf(
  { hub }: Network,
  wants: readonly SiteWant[],
  sites: readonly EdgeSite[],
): { readonly tunnels?: EdgeTunnel[] } {
  const isServed = ({ service, domain }: SiteWant): boolean =>
    sites.some((site) => site.service === service && site.domain === domain);
  const byNumber = Map.groupBy(
    wants.filter((want) => want.tunnel !== undefined && isServed(want)),
    ({ tunnel }) => tunnel?.number ?? 0,
  );
  const tunnels = [...byNumber].flatMap(([number, group]): EdgeTunnel[] => {
    const tunnel = group[0]?.tunnel;
    if (tunnel === undefined) return [];
    const domains = [...new Set(group.map(({ domain }) => domain))].sort();
    return [{ number, from: hub, https: tunnel.https, http: tunnel.http, domains }];
  });
  return tunnels.length === 0 ? {} : { tunnels: tunnels.sort((a, b) => a.number - b.number) };
}

function backendOf({ backend }: Service): Pick<EdgeSite, 'backend'> {
  return backend === undefined ? {} : { backend };
}

/** LND and Core Lightning speak TLS themselves, to visitors who know their certificate. */
function natureOf(kind: Service['kind']): Pick<EdgeSite, 'speaksTls' | 'guard'> {
  if (kind === 'lnd') return { speaksTls: true, guard: 'wallet' };
  return kind === 'clnrest' ? { speaksTls: true } : {};
}

function takenNames({ domain, owner, group }: { domain: string; owner: string; group: readonly SiteWant[] }) {
  const others = [...new Set(group.map(({ service }) => service))].filter((service) => service !== owner);
  return others.map((service): Problem => {
    return {
      code: 'DomainTaken',
      service,
      message: `${service} cannot answer at ${domain}: that name belongs to ${owner}`,
      hint: `give ${service} a domain of its own`,
    };
  });
}
