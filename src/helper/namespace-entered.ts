import { readdir } from 'node:fs/promises';
import { z } from 'zod';
import { errnoOf, GatewayError } from '../core/errors.ts';
import type { EnteredSpec } from '../core/entered.ts';
import type { OperationResult } from '../core/operations.ts';
import { enteredText, type Network } from '../core/service.ts';
import { hostBlocks, twinOf } from '../core/ula.ts';
import { fileError } from '../system/files.ts';
import { ipShow } from '../system/ip-show.ts';
import { ipBatch, isNetns, NETNS_DIRECTORY, netnsPath, removeLink, setSysctls } from '../system/netns.ts';
import { LINK_MAC, missingRoute, neighbours, viaHub6 } from './addressing.ts';
import { EnteredAlias, EnteredEndAlias, formatAlias, parseAlias } from './alias.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { isUp, Link, linkCalled, listLinks } from './links.ts';
import { addMark, ENTERED, listMarks, removeMark } from './marks.ts';
import { enteredEnd, hubNetns, ownerOf, serviceLink } from './names.ts';
import { currentNamespace, numberOf, withNamespace, type OpenNamespace } from './namespace-place.ts';
import type { Sight } from './observe.ts';

/**
 * A namespace that somebody else made gets one interface, with the service's address and a route to the pool, and is
 * otherwise left as it was: no packet filter, no setting, no default route. What may arrive there the hub decides; what
 * else reaches the service is up to its owner. The interface takes everything of ours with it when it goes.
 */
export const ensureEntered: Handler<'entered.ensure'> = async (input, environment, signal) => {
  const { network, service, spec } = input;
  const hub = hubNetns(network);
  await withNamespace(spec, signal, async (found) => {
    await refuseOwn(network, service, spec, found);
    await addMark(environment, network, { namespace: ENTERED, service });
    await refuseRouted6(network, spec, found, signal);
    const present = linkCalled(serviceLink(service), await listLinks(hub, signal));
    if (!isFor(spec, found, present)) {
      if (present !== undefined) await removeLink(hub, present.ifname, signal);
      await refuseTaken(network, spec, found, signal);
      await makeLink(input, found, environment, signal);
    }
    await completeInside(input, found, signal);
    await finishLink(input, found, environment, signal);
  });
  return {};
};

type Input = Parameters<Handler<'entered.ensure'>>[0];

/** Leads into this namespace, with this address; then it stays, and with it the connections. */
function isFor(spec: EnteredSpec, { namespace }: OpenNamespace, link: Link | undefined): boolean {
  const alias = parseAlias(link?.ifalias, EnteredAlias);
  return (
    link !== undefined && isUp(link) && alias?.namespace === namespace && alias.spec.address === spec.address
  );
}

async function makeLink(
  { network, service, spec }: Input,
  { path }: OpenNamespace,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const end = enteredEnd(network);
  const peer = `type veth peer name ${end} netns ${path}`;
  await ipBatch(hubNetns(network), [`link add name ${serviceLink(service)} ${peer}`], signal);
  await setSysctls(path, settingsOf(network), signal);
  await ipBatch(
    path,
    [
      `link set dev ${end} alias ${formatAlias({ owner: ownerOf(environment), service })}`,
      // Scope link: never chosen as the source of connections that go elsewhere.
      `addr add ${spec.address}/32 dev ${end} scope link`,
      `link set dev ${end} up`,
      `route add ${network.pool} via ${network.hub} dev ${end} onlink src ${spec.address}`,
    ],
    signal,
  );
}

/** Of this interface alone: nothing that arrives here goes on to the other networks of that namespace. */
function settingsOf(network: Network): Record<string, number> {
  const end = enteredEnd(network);
  const six = (key: string): string => `net.ipv6.conf.${end}.${key}`;
  return {
    [`net.ipv4.conf.${end}.forwarding`]: 0,
    [six('addr_gen_mode')]: 1,
    [six('accept_ra')]: 0,
    [six('accept_redirects')]: 0,
    [six('forwarding')]: 0,
    [six('disable_ipv6')]: network.ula === undefined ? 1 : 0,
  };
}

/** Also of one that was made before there was IPv6. Deprecated: never chosen as the source of connections elsewhere. */
async function completeInside(
  { network, spec: { address } }: Input,
  { path }: OpenNamespace,
  signal: AbortSignal,
): Promise<void> {
  const end = enteredEnd(network);
  const twin = twinOf(network, address);
  await setSysctls(path, settingsOf(network), signal);
  await ipBatch(
    path,
    [
      `link set dev ${end} address ${LINK_MAC.service}`,
      ...(twin === undefined ? [] : [`addr replace ${twin}/128 dev ${end} nodad preferred_lft 0`]),
      ...neighbours(network, network.hub, end, LINK_MAC.hub),
      ...viaHub6(network, address, end),
    ],
    signal,
  );
}

async function finishLink(
  { network, service, spec }: Input,
  { namespace }: OpenNamespace,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const name = serviceLink(service);
  const alias = formatAlias({ owner: ownerOf(environment), service, spec, namespace });
  await ipBatch(
    hubNetns(network),
    [
      `link set dev ${name} address ${LINK_MAC.hub} up`,
      ...hostBlocks(network, spec.address).map((block) => `route replace ${block} dev ${name}`),
      ...neighbours(network, spec.address, name, LINK_MAC.service),
      `link set dev ${name} alias ${alias}`,
    ],
    signal,
  );
}

/** The machine's own network and the namespaces that we make are no strangers'. */
async function refuseOwn(
  network: Network,
  service: string,
  spec: EnteredSpec,
  { namespace }: OpenNamespace,
): Promise<void> {
  const what = enteredText(spec);
  if (namespace === numberOf('/proc/self/ns/net')) {
    throw taken(`${what} uses the machine's own network`, `write namespace: host for ${service} instead`);
  }
  for (const name of await ownNetns(network)) {
    if (namespace !== numberOf(netnsPath(name))) continue;
    throw taken(
      `${what} is in namespace ${name}, which the gateway made`,
      `name that namespace without its prefix instead: namespace: ${name.slice(network.prefix.length + 1)}`,
    );
  }
}

async function ownNetns({ prefix }: Network): Promise<string[]> {
  try {
    return (await readdir(NETNS_DIRECTORY)).filter((name) => name.startsWith(`${prefix}-`));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw fileError(`${NETNS_DIRECTORY} could not be read`, error);
  }
}

const Route = z.object({ dst: z.string(), dev: z.string().optional() });

/** Nothing that stands there is replaced. */
async function refuseTaken(
  network: Network,
  spec: EnteredSpec,
  { path }: OpenNamespace,
  signal: AbortSignal,
): Promise<void> {
  const [links, routes] = await ipShow(path, ['link show', `route show root ${network.pool}`], signal);
  const what = enteredText(spec);
  const end = enteredEnd(network);
  const link = linkCalled(end, z.array(Link).parse(links));
  const holder = parseAlias(link?.ifalias, EnteredEndAlias)?.service;
  if (holder !== undefined) {
    throw taken(
      `${what} is the place of service ${holder} already`,
      'give each service a namespace of its own; one of them can listen on several ports only for programs beside it',
    );
  }
  if (link !== undefined) {
    throw taken(
      `${what} has an interface ${end} that is not ours`,
      'set instance: in gateway.yaml to another short name: our interface is called after it',
    );
  }
  const [route] = z.array(Route).parse(routes);
  if (route === undefined) return;
  throw taken(
    `${what} has a route to ${route.dst} already, which lies in the pool ${network.pool}`,
    'set pool: in gateway.yaml to a block that nothing there uses',
  );
}

/** Ours has been there since, if the link has. */
async function refuseRouted6(
  network: Network,
  spec: EnteredSpec,
  { path }: OpenNamespace,
  signal: AbortSignal,
): Promise<void> {
  if (network.ula === undefined) return;
  const [routes] = await ipShow(path, [`route show root ${network.ula}`], signal, '-6');
  const route = z
    .array(Route)
    .parse(routes)
    .find(({ dev }) => dev !== enteredEnd(network));
  if (route === undefined) return;
  throw taken(
    `${enteredText(spec)} has a route to ${route.dst} already, which lies in the block ${network.ula}`,
    'set ula: in gateway.yaml to another block of unique local addresses (fd00::/8)',
  );
}

function taken(message: string, hint: string): GatewayError {
  return new GatewayError(message, { code: 'NamespaceTaken', retry: 'when-changed', hint });
}

export const removeEntered: Handler<'entered.remove'> = async ({ network, service }, environment, signal) => {
  const hub = hubNetns(network);
  const marks = await listMarks(environment, network);
  const mark = marks.find((each) => each.namespace === ENTERED && each.service === service);
  if (mark === undefined) return {};
  // Both ends go at once, with the addresses and routes on them.
  if (await isNetns(hub)) await removeLink(hub, serviceLink(service), signal);
  await removeMark(environment, network, mark);
  return {};
};

export async function observeEntered(
  sight: Sight,
  signal: AbortSignal,
): Promise<OperationResult<'observe'>['entered']> {
  const services = sight.marks.filter(({ namespace }) => namespace === ENTERED).map(({ service }) => service);
  const byName = new Map(sight.links.map((link) => [link.ifname, link]));
  return Promise.all(
    services.map(async (service) => {
      const link = byName.get(serviceLink(service));
      const alias = parseAlias(link?.ifalias, EnteredAlias);
      const spec = alias?.spec ?? { by: 'name' as const, value: 'unknown', address: '0.0.0.0' };
      const renew =
        link === undefined || alias === undefined ? BROKEN : await damage(sight, link, alias, signal);
      return { service, spec, ...(renew === undefined ? {} : { renew }) };
    }),
  );
}

const BROKEN = 'its link to the hub is gone or half made';

async function damage(
  { routes, network }: Sight,
  link: Link,
  { spec, namespace }: EnteredAlias,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { namespace: current } = await currentNamespace(spec, signal);
  if (current === '') return `${enteredText(spec)} is gone`;
  if (current !== namespace) return `${enteredText(spec)} has another network namespace now`;
  if (!isUp(link)) return 'its link to the hub is down';
  return missingRoute(routes, network, spec.address, link.ifname);
}
