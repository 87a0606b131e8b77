import { GatewayError } from '../core/errors.ts';
import type { Network } from '../core/service.ts';
import { doorBlock, hostBlocks, twinOf } from '../core/ula.ts';
import {
  ensureNetns,
  type Family,
  inNetns,
  ipBatch,
  isNetns,
  removeLink,
  removeNetns,
  setSysctls,
} from '../system/netns.ts';
import { loadRules } from '../system/nft.ts';
import { run } from '../system/run.ts';
import { formatAlias, HubAlias, parseAlias } from './alias.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { linkCalled, listLinks, listRules } from './links.ts';
import { addMark, listMarks, removeMark } from './marks.ts';
import { HUB_END_OF_HOST, hostLink, hubNetns, ownerOf } from './names.ts';
import { HUB_ROUTING, HUB_ROUTING_6, HUB_SYSCTLS, hubRules, ipv6Sysctls } from './rules.ts';

const MARK = { namespace: 'hub', service: '' };

/** Deny-all stands, in rules and in routing, before forwarding is switched on and before any link exists. */
export const ensureHub: Handler<'hub.ensure'> = async ({ network }, environment, signal) => {
  const hub = hubNetns(network);
  await refuseForeign(network, environment, signal);
  await addMark(environment, network, MARK);
  await ensureNetns(hub, signal);
  await loadRules(hub, hubRules(network), signal);
  await ensureRouting(network, hub, signal);
  await setSysctls(hub, { ...HUB_SYSCTLS, ...ipv6Sysctls(network) }, signal);
  await ensureHostLink(network, hub, environment, signal);
  const six = network.ula === undefined ? {} : { 'net.ipv6.conf.all.forwarding': 1 };
  await setSysctls(hub, { 'net.ipv4.ip_forward': 1, ...six }, signal);
  const alias = formatAlias({ owner: ownerOf(environment), network });
  const argv = inNetns(hub, ['ip', 'link', 'set', 'dev', HUB_END_OF_HOST, 'alias', alias]);
  await run(argv, { signal });
  return {};
};

/** A hub that another gateway made is left alone; one of ours for another pool is made anew. */
async function refuseForeign(
  network: Network,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const hub = hubNetns(network);
  if (!(await isNetns(hub))) return;
  const link = linkCalled(HUB_END_OF_HOST, await listLinks(hub, signal));
  const alias = parseAlias(link?.ifalias, HubAlias);
  const isMarked = (await listMarks(environment, network)).some((mark) => mark.namespace === 'hub');
  if (alias === undefined ? !isMarked : alias.owner !== ownerOf(environment)) throw foreignHub(network);
  if (alias !== undefined && !isCompletedBy(alias.network, network)) await dismantle(network, signal);
}

/** The same addresses, or the same and IPv6 too: connections that pass a hub from before we had IPv6 stay. */
function isCompletedBy({ ula, ...made }: Network, { ula: wanted, ...rest }: Network): boolean {
  const isSame = JSON.stringify(made) === JSON.stringify(rest);
  return isSame && (ula === undefined || ula === wanted);
}

function foreignHub(network: Network): GatewayError {
  const hub = hubNetns(network);
  return new GatewayError(`namespace ${hub} belongs to another gateway on this machine`, {
    code: 'AlreadyExists',
    retry: 'when-changed',
    hint: `give this gateway another prefix than ${network.prefix}, or remove the other's hub: ip netns del ${hub}`,
  });
}

async function ensureRouting({ ula }: Network, hub: string, signal: AbortSignal): Promise<void> {
  await ensureRules(hub, '-4', HUB_ROUTING, signal);
  if (ula !== undefined) await ensureRules(hub, '-6', HUB_ROUTING_6, signal);
}

async function ensureRules(
  hub: string,
  family: Family,
  rules: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const present = new Set(await listRules(hub, signal, family));
  const missing = rules.filter((rule) => !present.has(rule));
  await ipBatch(
    hub,
    missing.map((rule) => `rule add ${rule}`),
    signal,
    family,
  );
}

async function ensureHostLink(
  network: Network,
  hub: string,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const { edge, tor, pool } = network;
  const link = hostLink(network);
  if (linkCalled(HUB_END_OF_HOST, await listLinks(hub, signal)) === undefined) {
    await removeLink(undefined, link, signal);
    const peer = `type veth peer name ${HUB_END_OF_HOST} netns ${hub}`;
    await ipBatch(undefined, [`link add name ${link} ${peer}`], signal);
    environment.log('info', 'made the link between host and hub', { link });
  }
  await ipBatch(
    hub,
    [
      'link set dev lo up',
      ...hostBlocks(network, network.hub).map((block) => `addr replace ${block} dev lo`),
      `link set dev ${HUB_END_OF_HOST} up`,
      `route replace ${edge}/32 dev ${HUB_END_OF_HOST}`,
      `route replace ${tor}/32 dev ${HUB_END_OF_HOST}`,
    ],
    signal,
  );
  const doors = doorBlock(network);
  if (doors !== undefined) await ipBatch(hub, [`route replace local ${doors} dev lo`], signal, '-6');
  // The host speaks IPv4 with services.
  await setSysctls(hub, { [`net.ipv6.conf.${HUB_END_OF_HOST}.disable_ipv6`]: 1 }, signal);
  // The host may route (Docker switches that on for every interface), but never from this one.
  const conf = `net.ipv4.conf.${link}`;
  const off = { [`${conf}.forwarding`]: 0, [`${conf}.rp_filter`]: 1 };
  await setSysctls(undefined, { ...off, [`net.ipv6.conf.${link}.disable_ipv6`]: 1 }, signal);
  await ipBatch(
    undefined,
    [
      `addr replace ${edge}/32 dev ${link}`,
      `addr replace ${tor}/32 dev ${link}`,
      `link set dev ${link} up`,
      // tor's address: it cannot bind it itself when one of its targets is in the LAN (torrc.ts).
      `route replace ${pool} via ${network.hub} dev ${link} onlink src ${tor}`,
    ],
    signal,
  );
}

export const removeHub: Handler<'hub.remove'> = async ({ network }, environment, signal) => {
  const hub = hubNetns(network);
  if (await isNetns(hub)) {
    const link = linkCalled(HUB_END_OF_HOST, await listLinks(hub, signal));
    const alias = parseAlias(link?.ifalias, HubAlias);
    if (alias !== undefined && alias.owner !== ownerOf(environment)) throw foreignHub(network);
    await dismantle(network, signal);
  }
  await removeMark(environment, network, MARK);
  return {};
};

/** Links first and one by one: those of a namespace that loses its name disappear at a time of the kernel's choice. */
async function dismantle(network: Network, signal: AbortSignal): Promise<void> {
  const hub = hubNetns(network);
  const links = (await listLinks(hub, signal)).filter((link) => link.ifname !== 'lo');
  for (const link of links) await removeLink(hub, link.ifname, signal);
  await removeLink(undefined, hostLink(network), signal);
  await removeNetns(hub, signal);
}

/** Without its entry a connection counts as new, and new ones need a flow; both ends then only time out. */
export const cutFlows: Handler<'flows.cut'> = async ({ network, source, address }, _environment, signal) => {
  if (!(await isNetns(hubNetns(network)))) return {};
  const same = (each: string): string => each;
  await cut(network, filterOf(source, address, same), signal);
  const twin = (each: string): string => twinOf(network, each) ?? each;
  if (network.ula !== undefined) await cut(network, filterOf(source, address, twin), signal);
  return {};
};

function filterOf(
  source: string | undefined,
  address: string | undefined,
  as: (each: string) => string,
): string[] {
  return [
    ...(source === undefined ? [] : ['--orig-src', as(source)]),
    ...(address === undefined ? [] : ['--orig-dst', as(address)]),
  ];
}

/** Of the connections that pass the hub, those that conntrack(8) picks by this filter. */
export async function cut(network: Network, filter: readonly string[], signal: AbortSignal): Promise<void> {
  const argv = inNetns(hubNetns(network), ['conntrack', '-D', ...filter]);
  const ran = await run(argv, { signal, accept: [0, 1] });
  if (ran.exitCode === 0 || ran.stderr.includes(' 0 flow entries')) return;
  throw new GatewayError(`open connections could not be ended: ${ran.stderr.trim()}`, {
    code: 'CommandFailed',
  });
}
