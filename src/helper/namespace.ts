import { GatewayError } from '../core/errors.ts';
import type { NamespaceSpec } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { hostBlocks } from '../core/ula.ts';
import { ensureNetns, ipBatch, isNetns, removeLink, removeNetns, setSysctls } from '../system/netns.ts';
import { loadRules } from '../system/nft.ts';
import { LINK_MAC, neighbours, ownAddresses, viaHub6 } from './addressing.ts';
import { formatAlias, parseAlias, ServiceAlias } from './alias.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { isUp, type Link, linkCalled, listLinks } from './links.ts';
import { addMark, digestOf, ENTERED, listMarks, removeMark } from './marks.ts';
import { hubNetns, ownerOf, SERVICE_END, serviceLink, serviceNetns } from './names.ts';
import { removeResolverFiles, writeResolverFiles } from './resolver-files.ts';
import { ipv6Sysctls, SERVICE_SYSCTLS, serviceRules } from './rules.ts';

/** Keeps the link, and with it the connections, when only the port changes. */
export const ensureNamespace: Handler<'namespace.ensure'> = async (input, environment, signal) => {
  const { network, service, spec } = input;
  const netns = serviceNetns(network, spec.namespace);
  await removeOthers(input, environment, signal);
  await refuseForeign(network, { service, namespace: spec.namespace }, environment, signal);
  await addMark(environment, network, { service, namespace: spec.namespace }, spec.upstreams);
  const isNew = !(await isNetns(netns));
  await ensureNetns(netns, signal);
  await writeResolverFiles(netns, service, spec, network, environment);
  const hub = hubNetns(network);
  const [links] = await Promise.all([
    listLinks(hub, signal),
    loadRules(netns, serviceRules(spec, network), signal),
    setSysctls(netns, settingsOf(network), signal),
  ]);
  const present = linkCalled(serviceLink(service), links);
  const isWhole = !isNew && present !== undefined && isFor(spec, present);
  if (!isWhole) {
    if (present !== undefined) await removeLink(hub, present.ifname, signal);
    if (!isNew) await removeLink(netns, SERVICE_END, signal);
    await makeLink(network, service, spec, signal);
  }
  await ipBatch(netns, insideOf(network, spec), signal);
  await ipBatch(hub, finishLines(network, service, spec, ownerOf(environment)), signal);
  return {};
};

/** Of a namespace that we make. */
export function settingsOf(network: Network): Readonly<Record<string, number>> {
  return { ...SERVICE_SYSCTLS, ...ipv6Sysctls(network) };
}

/**
 * The hub's end comes up last: packets that wait for the service would ask for its hardware address before it can answer,
 * and ask again only a second later.
 */
export function finishLines(network: Network, service: string, spec: NamespaceSpec, owner: string): string[] {
  const name = serviceLink(service);
  const { upstreams: list, ...rest } = spec;
  const upstreams = digestOf(list);
  const alias = { owner, service, spec: rest, ...(upstreams === undefined ? {} : { upstreams }) };
  return [
    `link set dev ${name} address ${LINK_MAC.hub} up`,
    ...hostBlocks(network, spec.address).map((block) => `route replace ${block} dev ${name}`),
    ...neighbours(network, spec.address, name, LINK_MAC.service),
    `link set dev ${name} alias ${formatAlias(alias)}`,
  ];
}

async function makeLink(
  network: Network,
  service: string,
  spec: NamespaceSpec,
  signal: AbortSignal,
): Promise<void> {
  await ipBatch(hubNetns(network), [addLine(service, serviceNetns(network, spec.namespace))], signal);
}

export function addLine(service: string, netns: string): string {
  return `link add name ${serviceLink(service)} type veth peer name ${SERVICE_END} netns ${netns}`;
}

/** Nothing but the pool has a way in IPv6: what is on the internet fails at once, and programs take IPv4. */
export function insideOf(network: Network, { address }: NamespaceSpec): string[] {
  const [hub, ...hub6] = hostBlocks(network, network.hub);
  return [
    'link set dev lo up',
    ...ownAddresses(network, address, SERVICE_END),
    `link set dev ${SERVICE_END} address ${LINK_MAC.service} up`,
    ...neighbours(network, network.hub, SERVICE_END, LINK_MAC.hub),
    `route replace ${hub} dev ${SERVICE_END}`,
    `route replace default via ${network.hub} dev ${SERVICE_END}`,
    ...hub6.map((block) => `route replace ${block} dev ${SERVICE_END}`),
    ...viaHub6(network, address, SERVICE_END),
  ];
}

/** Leads to this namespace and address; then it stays, and with it the connections. */
function isFor(spec: NamespaceSpec, link: Link): boolean {
  const alias = parseAlias(link.ifalias, ServiceAlias);
  return isUp(link) && alias?.spec.namespace === spec.namespace && alias.spec.address === spec.address;
}

/** A service that moved to a namespace of another name leaves nothing behind. */
async function removeOthers(
  { network, service, spec }: Parameters<Handler<'namespace.ensure'>>[0],
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const marks = await listMarks(environment, network);
  const others = marks.filter(
    (mark) => mark.service === service && mark.namespace !== spec.namespace && mark.namespace !== ENTERED,
  );
  if (others.length > 0) await removeNamespace({ network, service }, environment, signal);
}

async function refuseForeign(
  network: Network,
  wanted: { readonly service: string; readonly namespace: string },
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const netns = serviceNetns(network, wanted.namespace);
  const marks = await listMarks(environment, network);
  const holder = marks.find((mark) => mark.namespace === wanted.namespace);
  if (holder !== undefined && holder.service !== wanted.service) {
    await removeNamespace({ network, service: holder.service }, environment, signal);
  }
  if (holder !== undefined || !(await isNetns(netns))) return;
  throw new GatewayError(`namespace ${netns} exists, and this gateway did not make it`, {
    code: 'AlreadyExists',
    retry: 'when-changed',
    hint: `choose another namespace name for ${wanted.service}, or remove that one: ip netns del ${netns}`,
  });
}

/** Programs inside keep running, without any network. */
export const removeNamespace: Handler<'namespace.remove'> = async (
  { network, service },
  environment,
  signal,
) => {
  const hub = hubNetns(network);
  if (await isNetns(hub)) await removeLink(hub, serviceLink(service), signal);
  const marks = await listMarks(environment, network);
  const mine = marks.filter((mark) => mark.service === service && mark.namespace !== ENTERED);
  for (const mark of mine.filter((each) => each.service !== '')) {
    const netns = serviceNetns(network, mark.namespace);
    if (await isNetns(netns)) await removeLink(netns, SERVICE_END, signal);
    await removeNetns(netns, signal);
    await removeResolverFiles(netns, environment);
    await removeMark(environment, network, mark);
  }
  return {};
};
