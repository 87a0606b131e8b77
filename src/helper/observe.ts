import { z } from 'zod';
import { sortFlows, textOf } from '../core/flows.ts';
import { Flow, type OperationResult } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { pooledOf } from '../core/ula.ts';
import { ipShow } from '../system/ip-show.ts';
import { isNetns } from '../system/netns.ts';
import { missingRoute } from './addressing.ts';
import { formatAlias, parseAlias, ServiceAlias } from './alias.ts';
import { observeEgress } from './egress.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { FlowElement } from './flow-sets.ts';
import { hostServicesIn } from './host-service.ts';
import { isUp, Link, linkCalled, rulesFrom } from './links.ts';
import { digestOf, ENTERED, listMarks, type Mark, upstreamsOf } from './marks.ts';
import { observeEntered } from './namespace-entered.ts';
import {
  HUB_END_OF_HOST,
  hostLink,
  hostTable,
  hubNetns,
  ownerOf,
  serviceLink,
  serviceNetns,
} from './names.ts';
import { HUB_ROUTING, HUB_ROUTING_6, hubChains, twinsOf } from './rules.ts';
import { type HubTable, readTable } from './table.ts';
import { observeWireguard } from './wireguard.ts';

type Seen = OperationResult<'observe'>;

/** What a handful of commands tell, however many services there are. */
export interface Sight {
  readonly network: Network;
  readonly owner: string;
  readonly hasHub: boolean;
  readonly marks: readonly Mark[];
  readonly links: readonly Link[];
  readonly rules: readonly string[];
  readonly rules6: readonly string[];
  /** Destinations that the hub routes, of both families, with the interface: `10.64.1.2 s-0123456789ab`. */
  readonly routes: ReadonlySet<string>;
  readonly table: HubTable | undefined;
  readonly forwards: boolean;
  readonly forwards6: boolean;
  readonly hostAddresses: ReadonlySet<string>;
  readonly hostRoutesPool: boolean;
  readonly hostForwards: boolean;
}

export const observe: Handler<'observe'> = async ({ network }, environment, signal) => {
  const standing = isNetns(hubNetns(network));
  const [sight, onHost, wireguard] = await Promise.all([
    look(network, environment, signal, standing),
    readTable(undefined, signal, hostTable(network)),
    observeWireguard(network, environment, signal, standing),
  ]);
  const hub = hubOf(sight);
  const egress = await observeEgress(network, { inHub: sight.table, onHost }, signal);
  return {
    ...(hub === undefined ? {} : { hub }),
    namespaces: await namespacesOf(sight, environment),
    entered: await observeEntered(sight, signal),
    hostServices: hostServicesOf(sight),
    wireguard,
    ...(egress === undefined ? {} : { egress }),
  };
};

const Route = z.object({ dst: z.string(), dev: z.string().optional() });
const Addressed = z.object({
  ifname: z.string().optional(),
  addr_info: z.array(z.object({ local: z.string() })).optional(),
});

async function look(
  network: Network,
  environment: HelperEnvironment,
  signal: AbortSignal,
  standing: Promise<boolean>,
): Promise<Sight> {
  const owner = ownerOf(environment);
  const hub = hubNetns(network);
  const hasHub = await standing;
  const [host, inHub] = await Promise.all([
    lookAtHost(network, signal),
    hasHub ? lookAtHub(network, hub, signal) : NOTHING,
  ]);
  const marks = await listMarks(environment, network);
  return { network, owner, hasHub, marks, ...host, ...inHub };
}

const NOTHING = {
  links: [],
  rules: [],
  rules6: [],
  routes: new Set<string>(),
  table: undefined,
  forwards: false,
  forwards6: false,
};

async function lookAtHub(
  network: Network,
  hub: string,
  signal: AbortSignal,
): Promise<Pick<Sight, keyof typeof NOTHING>> {
  const hasIpv6 = network.ula !== undefined;
  const [shown, shown6, table] = await Promise.all([
    ipShow(hub, ['link show', 'rule show', 'route show', 'netconf show'], signal),
    hasIpv6 ? ipShow(hub, ['rule show', 'route show'], signal, '-6') : [[], []],
    readTable(hub, signal),
  ]);
  const routes = z.array(Route).parse([...(shown[2] ?? []), ...(shown6[1] ?? [])]);
  return {
    links: z.array(Link).parse(shown[0]),
    rules: rulesFrom(shown[1]),
    rules6: rulesFrom(shown6[0]),
    routes: new Set(routes.map(({ dst, dev }) => `${dst} ${dev ?? ''}`)),
    table,
    forwards: isRouter(shown[3], 'inet', 'all'),
    forwards6: isRouter(shown[3], 'inet6', 'all'),
  };
}

const Netconf = z.object({ family: z.string(), interface: z.string(), forwarding: z.boolean().optional() });

/** Forwards what arrives over this interface; `all` is the namespace as a whole. */
function isRouter(settings: unknown, family: 'inet' | 'inet6', name: string): boolean {
  const all = z.array(Netconf).parse(settings);
  return all.some((each) => each.family === family && each.interface === name && each.forwarding === true);
}

async function lookAtHost(
  network: Network,
  signal: AbortSignal,
): Promise<Pick<Sight, 'hostAddresses' | 'hostRoutesPool' | 'hostForwards'>> {
  const link = hostLink(network);
  const show = ['addr show', `route show exact ${network.pool}`, 'netconf show'];
  const [addresses, routes, settings] = await ipShow(undefined, show, signal);
  const mine = z
    .array(Addressed)
    .parse(addresses)
    .find((each) => each.ifname === link);
  return {
    hostAddresses: new Set((mine?.addr_info ?? []).map((each) => each.local)),
    hostRoutesPool: z
      .array(Route)
      .parse(routes)
      .some((route) => route.dev === link),
    hostForwards: isRouter(settings, 'inet', link),
  };
}

function hubOf(sight: Sight): Seen['hub'] {
  const isMarkedHub = sight.hasHub && !isForeign(sight);
  if (!isMarkedHub) return undefined;
  const renew = damageOf(sight);
  return { flows: flowsIn(sight), ...(renew === undefined ? {} : { renew }) };
}

/** Made by a gateway with other directories. */
function isForeign(sight: Sight): boolean {
  const alias = linkCalled(HUB_END_OF_HOST, sight.links)?.ifalias;
  const parsed = parseAlias(alias, z.object({ owner: z.string() }));
  return parsed !== undefined && parsed.owner !== sight.owner;
}

/** Why the hub must be made again, or `undefined` when it is whole. */
function damageOf(sight: Sight): string | undefined {
  const { network, owner } = sight;
  const link = linkCalled(HUB_END_OF_HOST, sight.links);
  const missingRules = HUB_ROUTING.filter((rule) => !sight.rules.includes(rule));
  const isWhole = JSON.stringify(sight.table?.chains) === JSON.stringify(hubChains(network));
  if (!isWhole) return 'its packet filter was removed or changed; nothing passes until it is back';
  if (missingRules.length > 0) return 'its routing policy was removed';
  if (link === undefined) return 'its link to the host is gone';
  if (link.ifalias !== formatAlias({ owner, network }))
    return 'it is half made, or was made for other addresses';
  if (!isUp(link)) return 'its link to the host is down';
  if (!sight.forwards) return 'its forwarding was switched off';
  const damage6 = network.ula === undefined ? undefined : damage6Of(sight);
  if (damage6 !== undefined) return damage6;
  const hostMisses = [network.edge, network.tor].filter((address) => !sight.hostAddresses.has(address));
  if (hostMisses.length > 0) return `the host lost its address ${hostMisses.join(' and ')}`;
  if (!sight.hostRoutesPool) return `the host lost its route to ${network.pool}`;
  if (sight.hostForwards) return `forwarding was switched on for ${hostLink(network)}`;
  return undefined;
}

function damage6Of({ rules6, forwards6 }: Sight): string | undefined {
  if (HUB_ROUTING_6.some((rule) => !rules6.includes(rule))) return 'its routing policy for IPv6 was removed';
  return forwards6 ? undefined : 'its forwarding of IPv6 was switched off';
}

/** One that stands in IPv4 alone is not open, so that it is opened again; one in IPv6 alone is, so that it is closed. */
function flowsIn({ network, table, marks }: Sight): Flow[] {
  const services = new Map(marks.map(({ service }) => [serviceLink(service), `service/${service}`]));
  const inSet = (name: string): Flow[] =>
    (table?.sets.get(name) ?? []).map((element) => {
      const [via, source, address, protocol, port] = FlowElement.parse(element).concat;
      return { via: services.get(via) ?? via, source, address, protocol, port };
    });
  const flows = inSet('allowed');
  if (network.ula === undefined) return sortFlows(flows.map((flow) => Flow.parse(flow)));
  const twins = new Map(inSet('allowed6').map((twin) => [textOf(twin), twin]));
  const whole = flows.filter((flow) => twinsOf([flow], network).every((twin) => twins.has(textOf(twin))));
  for (const twin of twinsOf(flows, network)) twins.delete(textOf(twin));
  const four = new Set(flows.map(textOf));
  // In another block than ours, one is left over from before, and stands for nothing.
  const strays = [...twins.values()]
    .map((twin) => ({ ...twin, source: pooledOf(twin.source), address: pooledOf(twin.address) }))
    .filter((stray) => !four.has(textOf(stray)));
  return sortFlows([...whole, ...strays].map((flow) => Flow.parse(flow)));
}

async function namespacesOf(sight: Sight, environment: HelperEnvironment): Promise<Seen['namespaces']> {
  const { marks } = sight;
  const byName = new Map(sight.links.map((link) => [link.ifname, link]));
  const services = marks.filter((mark) => mark.service !== '' && mark.namespace !== ENTERED);
  return Promise.all(
    services.map(async ({ service, namespace }) => {
      const link = byName.get(serviceLink(service));
      const alias = parseAlias(link?.ifalias, ServiceAlias);
      const upstreams = await upstreamsOf(environment, sight.network, { service, namespace });
      const short = alias?.spec ?? { namespace, address: '0.0.0.0', port: 1 };
      const spec = { ...short, ...(upstreams === undefined ? {} : { upstreams }) };
      const stands = await isNetns(serviceNetns(sight.network, namespace));
      const isListed = alias?.upstreams === digestOf(upstreams);
      const renew =
        damageOfNamespace(sight, link, alias, stands) ?? (isListed ? undefined : 'it is half made');
      return { service, spec, ...(renew === undefined ? {} : { renew }) };
    }),
  );
}

function damageOfNamespace(
  sight: Sight,
  link: Link | undefined,
  alias: ServiceAlias | undefined,
  stands: boolean,
): string | undefined {
  if (!stands) return 'its namespace is gone';
  if (link === undefined) return 'its link to the hub is gone';
  if (alias === undefined) return 'it is half made';
  if (!isUp(link)) return 'its link to the hub is down';
  return missingRoute(sight.routes, sight.network, alias.spec.address, link.ifname);
}

function hostServicesOf(sight: Sight): Seen['hostServices'] {
  return hostServicesIn(sight.table).map(({ service, spec }) => {
    const stands =
      sight.hostAddresses.has(spec.address) && sight.routes.has(`${spec.address} ${HUB_END_OF_HOST}`);
    return {
      service,
      spec,
      ...(stands ? {} : { renew: 'its address on the host or the route to it is gone' }),
    };
  });
}
