import type { Applied, AppliedService } from '../core/applied.ts';
import type { Desired } from '../core/desired.ts';
import { Upstream } from '../core/namespace-spec.ts';
import { EdgeSpec, OnionClient, PeerSpec } from '../core/operations.ts';
import type { Service } from '../core/service.ts';
import { z } from 'zod';

/** How the specs of any provider say that they need a peer or a UDP port of the helper. */
const SpecOfPeer = PeerSpec.loose();
const SpecOfOnion = z.looseObject({
  service: z.string(),
  authorization: z.looseObject({ clients: z.array(OnionClient) }),
});
const SpecOfSingleHop = z.looseObject({ service: z.string(), instance: z.literal('single-hop') });
const SpecOfInterface = z.looseObject({ listenPort: z.number() });
const SpecOfEdge = EdgeSpec.loose().extend({ type: z.literal('edge') });
const SpecOfNamespace = z.looseObject({ upstreams: z.array(Upstream) });

function serviceOf({ address, port, place, privacy, egress, upstreams }: Service): AppliedService {
  return {
    address,
    port,
    place,
    privacy,
    ...(egress === undefined ? {} : { egress }),
    ...(upstreams === undefined ? {} : { upstreams: [...upstreams] }),
  };
}

/** What the config justifies: the helper refuses the rest. */
export function appliedOf(desired: Desired): Applied {
  const specs = [...desired.resources.values()].flat().map((resource) => resource.spec);
  const clients = onionClientsOf(specs);
  const edge = specs.map((spec) => SpecOfEdge.safeParse(spec).data).find((found) => found !== undefined);
  const singleHop = new Set(specs.flatMap((spec) => SpecOfSingleHop.safeParse(spec).data?.service ?? []));
  return {
    network: desired.network,
    services: Object.fromEntries(
      desired.services.map((service) => {
        const onionClients = clients.get(service.name);
        const sites = sitesOf(service.name, desired);
        const domains = (edge?.sites ?? []).filter((site) => site.service === service.name);
        return [
          service.name,
          {
            ...serviceOf(service),
            ...(singleHop.has(service.name) ? { isSingleHop: true as const } : {}),
            ...(onionClients === undefined ? {} : { onionClients }),
            ...(sites.length === 0 ? {} : { sites }),
            ...(domains.length === 0
              ? {}
              : { domains: domains.map(({ service: _service, to: _to, ...rest }) => rest) }),
          },
        ];
      }),
    ),
    devices: devicesOf(desired),
    ports: specs.flatMap((spec) => {
      const found = SpecOfInterface.safeParse(spec);
      return found.success ? [found.data.listenPort] : [];
    }),
    ...(edge?.listen === undefined ? {} : { listen: edge.listen }),
  };
}

/** A peer is needed by the services that it was given; those that are not open by its own way are left out. */
function devicesOf({ resources, exposures }: Desired): Applied['devices'] {
  return [...resources].flatMap(([id, mine]) => {
    const open = new Set(
      exposures
        .filter(({ provider, problem }) => provider === id && problem === undefined)
        .map(({ service }) => service.name),
    );
    return mine.flatMap(({ spec, neededBy }) => {
      const peer = SpecOfPeer.safeParse(spec).data;
      if (peer === undefined) return [];
      const services = neededBy.filter((name) => open.has(name));
      return [{ publicKey: peer.publicKey, address: peer.address, services }];
    });
  });
}

/** Devices that it may connect to: what it is let through to and is no service. */
function sitesOf(name: string, { resources, services }: Desired): Upstream[] {
  const resource = (resources.get('namespaces') ?? []).find(({ key }) => key === `namespace:${name}`);
  const { upstreams = [] } = SpecOfNamespace.safeParse(resource?.spec).data ?? {};
  return upstreams.filter((upstream) => services.every((service) => service.name !== upstream.service));
}

function onionClientsOf(specs: readonly unknown[]): ReadonlyMap<string, OnionClient[]> {
  const found = specs.flatMap((spec) => SpecOfOnion.safeParse(spec).data ?? []);
  return new Map(found.map(({ service, authorization }) => [service, authorization.clients]));
}
