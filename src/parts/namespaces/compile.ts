import type { AllowWant, Compiled, CompileInput, Problem, Resource, Want } from '../../core/contract.ts';
import { sortFlows } from '../../core/flows.ts';
import type { Flow, Upstream } from '../../core/operations.ts';
import type { Network, Service } from '../../core/service.ts';
import type { Spec } from './spec.ts';

/**
 *   place       | resource            | flows
 *   ------------+---------------------+------
 *   namespace   | namespace:<service> | yes
 *   entered     | entered:<service>   | yes
 *   host        | hostService:<service> | yes
 *   target      | hostService:<service> | from WireGuard only; neither before a device may reach it: tor dials it itself
 *
 * The hub stands as soon as there is a service, so that a first exposure finds it. A target that a device could reach keeps
 * its address until it is removed, because what is open goes on (the ledger remembers them: `target/<service>`).
 */
export function compile({ network, services, wants, ledger }: CompileInput): Compiled<Spec> {
  const sorted = [...services].sort((a, b) => (a.name < b.name ? -1 : 1));
  const problems = sharedNamespaces(sorted);
  const rejected = new Set(problems.map((problem) => problem.service));
  const accepted = sorted.filter((service) => !rejected.has(service.name));
  const allowed = allowedOf(accepted, wants);
  const upstreams = upstreamsOf(accepted, wants);
  const flows = flowsOf(network, accepted, allowed, { upstreams, all: wants });
  const asked = new Set(allowed.map((want) => want.service));
  const targets = accepted.filter(({ name, place }) => {
    return place.type === 'target' && (asked.has(name) || ledger[`target/${name}`] !== undefined);
  });
  const needed = new Set(targets.map(({ name }) => name));
  return {
    resources: [
      ...hubFor(network, accepted),
      ...accepted.flatMap((service) => placeOf(service, needed.has(service.name), upstreams)),
      ...(flows.flows.length === 0 ? [] : [flowsResource(flows)]),
    ],
    wants: [],
    problems,
    ledger: Object.fromEntries([...needed].map((name) => [`target/${name}`, 'yes'])),
  };
}

function hubFor(network: Network, services: readonly Service[]): Resource<Spec>[] {
  if (services.length === 0) return [];
  const neededBy = services.map((service) => service.name);
  return [{ key: 'hub:hub', spec: { type: 'hub', ...network }, neededBy }];
}

/** What may pass through the hub. A connection that the host itself makes to another machine does not. */
function allowedOf(services: readonly Service[], wants: readonly Want[]): AllowWant[] {
  const places = new Map(services.map(({ name, place }) => [name, place.type]));
  return wants.filter((want): want is AllowWant => {
    if (want.part !== 'namespaces' || 'to' in want) return false;
    const place = places.get(want.service);
    return place === 'target' ? typeof want.from === 'object' : place !== undefined;
  });
}

/**
 * Where each service may connect to; one that cannot be placed is left out. A service goes before a device of its name.
 * `services` are sorted by name.
 */
function upstreamsOf(services: readonly Service[], wants: readonly Want[]): ReadonlyMap<string, Upstream[]> {
  const byName = new Map(services.map((service) => [service.name, service]));
  const reaching = wants.filter((want) => 'to' in want);
  const sitesByService = Map.groupBy(
    reaching.filter(({ to }) => !byName.has(to.name)),
    ({ service }) => service,
  );
  return new Map(
    services.map(({ name: own, place, upstreams = [] }) => {
      const others = [...new Set(upstreams)]
        .sort()
        .flatMap((name) => byName.get(name) ?? [])
        .map(({ name, address, port }) => ({ service: name, address, port }));
      if (place.type !== 'namespace') return [own, others];
      const sites = (sitesByService.get(own) ?? []).map(({ to }) => ({
        service: to.name,
        address: to.address,
        port: to.port,
      }));
      return [own, [...others, ...sites.sort((a, b) => (a.service < b.service ? -1 : 1) || a.port - b.port)]];
    }),
  );
}

function placeOf(
  { name, place, address, port, egress }: Service,
  isNeeded: boolean,
  upstreams: ReadonlyMap<string, Upstream[]>,
): Resource<Spec>[] {
  const neededBy = [name];
  if (place.type === 'target' && !isNeeded) return [];
  if (place.type === 'entered') {
    const { by, value } = place;
    return [{ key: `entered:${name}`, spec: { type: 'entered', by, value, address }, neededBy }];
  }
  if (place.type !== 'namespace')
    return [{ key: `hostService:${name}`, spec: { type: 'hostService', address }, neededBy }];
  const mine = upstreams.get(name) ?? [];
  const out = {
    ...(egress === undefined ? {} : { egress }),
    ...(mine.length === 0 ? {} : { upstreams: mine }),
  };
  const spec = { type: 'namespace', namespace: place.name, address, port, ...out } as const;
  return [{ key: `namespace:${name}`, spec, neededBy }];
}

interface Flows {
  readonly flows: readonly Flow[];
  readonly neededBy: readonly string[];
}

function flowsOf(
  network: Network,
  services: readonly Service[],
  wants: readonly AllowWant[],
  { upstreams, all }: { readonly upstreams: ReadonlyMap<string, Upstream[]>; readonly all: readonly Want[] },
): Flows {
  const byName = new Map(services.map((service) => [service.name, service]));
  const flows = wants.flatMap((want): Flow[] => {
    const service = byName.get(want.service);
    if (service === undefined) return [];
    return [
      { ...sourceOf(want.from, network), address: service.address, protocol: 'tcp', port: service.port },
    ];
  });
  const between = services.flatMap((service) => pairsOf(service, upstreams.get(service.name) ?? []));
  const named = new Set([
    ...wants.map((want) => want.service),
    ...services.filter(({ upstreams }) => upstreams !== undefined).map(({ name }) => name),
    ...all.flatMap((want) => ('to' in want ? [want.service] : [])),
  ]);
  return { flows: sortFlows([...flows, ...between]), neededBy: [...named].sort() };
}

/** Only the one that asked may begin a connection. */
function pairsOf(service: Service, upstreams: readonly Upstream[]): Flow[] {
  const via = `service/${service.name}`;
  return upstreams.map(({ address, port }) => {
    return { via, source: service.address, address, protocol: 'tcp', port };
  });
}

function sourceOf(from: AllowWant['from'], network: Network): Pick<Flow, 'via' | 'source'> {
  if (typeof from === 'object') return { via: from.interface, source: from.address };
  return { via: 'host', source: from === 'tor' ? network.tor : network.edge };
}

function flowsResource({ flows, neededBy }: Flows): Resource<Spec> {
  return { key: 'flows:hub', spec: { type: 'flows', flows }, neededBy };
}

/** A namespace belongs to the first service that names it: there each lets in one port and no neighbour. */
function sharedNamespaces(services: readonly Service[]): Problem[] {
  const owners = new Map<string, string>([['hub', 'the gateway itself']]);
  return services.flatMap(({ name, place }): Problem[] => {
    if (place.type !== 'namespace') return [];
    const owner = owners.get(place.name);
    if (owner === undefined) owners.set(place.name, name);
    if (owner === undefined) return [];
    return [
      {
        code: 'NamespaceTaken',
        service: name,
        message: `${name} cannot use namespace ${place.name}: it belongs to ${owner}`,
        hint: `give ${name} another namespace name, or leave it out to name it like the service`,
      },
    ];
  });
}
