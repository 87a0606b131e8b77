import { deviceBlock } from '../../core/allocate.ts';
import type { Compiled, CompileInput, Resource } from '../../core/contract.ts';
import type { EdgeRoute, EdgeSpec } from '../../core/operations.ts';
import type { Service } from '../../core/service.ts';

/**
 * `edge:haproxy`: HAProxy runs, and has loaded exactly these routes, sorted by service, but those that it cannot bind.
 * `route:printer`: it has bound this one. A resource of its own, so that a port that is taken marks that service alone.
 */
export type Spec =
  ({ readonly type: 'edge' } & EdgeSpec) | { readonly type: 'route'; readonly service: string };

export const EDGE_KEY = 'edge:haproxy';

/** One process for all services on other machines, as long as somebody needs one of them. */
export function compile({ network, services, wants }: CompileInput): Compiled<Spec> {
  const wanted = new Set(wants.filter((want) => want.part === 'edge').map((want) => want.service));
  const routes = services
    .filter(({ name }) => wanted.has(name))
    .flatMap(routeOf)
    .sort((a, b) => (a.service < b.service ? -1 : 1));
  const spec = { type: 'edge', devices: deviceBlock(network.pool), routes } as const;
  const neededBy = routes.map(({ service }) => service);
  const bound = routes.map(({ service }) => routeResource(service));
  return {
    resources: routes.length === 0 ? [] : [{ key: EDGE_KEY, spec, neededBy }, ...bound],
    wants: [],
    problems: [],
    ledger: {},
  };
}

function routeResource(service: string): Resource<Spec> {
  return { key: `route:${service}`, spec: { type: 'route', service }, neededBy: [service] };
}

function routeOf({ name, address, port, place }: Service): EdgeRoute[] {
  if (place.type !== 'target') return [];
  return [{ service: name, address, port, to: { host: place.host, port } }];
}
