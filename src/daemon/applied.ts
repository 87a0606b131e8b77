import type { Applied, AppliedService } from '../core/applied.ts';
import type { Desired } from '../core/desired.ts';
import { Upstream } from '../core/namespace-spec.ts';
import { EdgeClient, EdgeSpec, OnionClient, PeerSpec } from '../core/operations.ts';
import type { Service } from '../core/service.ts';
import { TunnelSpec } from '../core/tunnel-operations.ts';
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
const SpecOfTunnel = z.looseObject({ type: z.literal('tunnel'), tunnel: TunnelSpec });
const SpecOfClient = EdgeClient.loose().extend({ type: z.literal('client') });
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
  const edgeClients = specs.flatMap((spec) => {
    const found = SpecOfClient.safeParse(spec).data;
    return found === undefined ? [] : [EdgeClient.strip().parse(found)];
  });
  const reached = upstreamsByService(desired);
  const names = new Set(desired.services.map(({ name }) => name));
  const singleHop = new Set(specs.flatMap((spec) => SpecOfSingleHop.safeParse(spec).data?.service ?? []));
  return {
    network: desired.network,
    services: Object.fromEntries(
      desired.services.map((service) => {
        const onionClients = clients.get(service.name);
        const sites = (reached.get(service.name) ?? []).filter((upstream) => !names.has(upstream.service));
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
    ...(edge?.tunnels === undefined ? {} : { edgeTunnels: edge.tunnels }),
    ...tunnelsOf(specs),
    ...(edgeClients.length === 0 ? {} : { clients: edgeClients }),
  };
}

function tunnelsOf(specs: readonly unknown[]): Pick<Applied, 'tunnels'> {
  const tunnels = specs.flatMap((spec) => SpecOfTunnel.safeParse(spec).data?.tunnel ?? []);
  return tunnels.length === 0 ? {} : { tunnels };
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

/** What each service is let through to; whatever of it is no service is a device. */
function upstreamsByService({ resources }: Desired): ReadonlyMap<string, Upstream[]> {
  const found = (resources.get('namespaces') ?? []).flatMap(({ key, spec }) => {
    const { upstreams } = SpecOfNamespace.safeParse(spec).data ?? {};
    if (upstreams === undefined || !key.startsWith('namespace:')) return [];
    return [[key.slice('namespace:'.length), upstreams] as const];
  });
  return new Map(found);
}

function onionClientsOf(specs: readonly unknown[]): ReadonlyMap<string, OnionClient[]> {
  const found = specs.flatMap((spec) => SpecOfOnion.safeParse(spec).data ?? []);
  return new Map(found.map(({ service, authorization }) => [service, authorization.clients]));
}
