import { z } from 'zod';
import { isPublicUnicast } from '../core/inet.ts';
import type { Network } from '../core/service.ts';
import { ipShow } from '../system/ip-show.ts';
import { inNetns, ipBatch, readSysctls, removeLink, setSysctls } from '../system/netns.ts';
import { run } from '../system/run.ts';
import { DIRECT_MARK } from './egress-rules.ts';
import { isUp, Link, linkCalled, rulesFrom } from './links.ts';
import { egressLink, HUB_END_OF_EGRESS, HUB_END_OF_HOST, hostLink, hubNetns } from './names.ts';
import { EGRESS_TABLES } from './rules.ts';

/** The host's table of routes for answers to what left directly. */
const ANSWERS_TABLE = 5202;
/** Both ends know each other: an answer to ARP would have to pass the reverse path check, which wants a mark. */
const MAC = { host: '02:67:77:00:00:01', hub: '02:67:77:00:00:02' };

/**
 * Routing policy on the host, after rule 0 (local addresses). It outlives every firewall, so that a flushed one opens
 * nothing: never is anything forwarded from the link to the hub, and a machine that forwarded nothing before forwards
 * only what our own mark leads back to services.
 */
const ANSWERS = `priority 5190 fwmark ${DIRECT_MARK} lookup ${ANSWERS_TABLE}`;
const noTransit = (link: string): string => `priority 5191 iif ${link} blackhole`;
const notARouter = (uplink: string): string => `priority 5192 iif ${uplink} blackhole`;
const NOT_A_ROUTER = /^priority 5192 iif (\S+) blackhole$/;

export interface HostSight {
  readonly rules: readonly string[];
  /** Interfaces of default routes. */
  readonly uplinks: readonly string[];
  /** Public addresses of this machine, sorted. */
  readonly own: readonly string[];
  readonly hasLink: boolean;
  /** The whole machine forwards: Docker or the owner wants it so. */
  readonly isRouter: boolean;
  /** Interfaces of ours and uplinks that forward. */
  readonly forwarding: ReadonlySet<string>;
}

const Addressed = z.object({ addr_info: z.array(z.object({ local: z.string() })).optional() });
const Route = z.object({ dev: z.string().optional() });

export async function lookAtHost(network: Network, signal: AbortSignal): Promise<HostSight> {
  const out = egressLink(network);
  const show = ['rule show', 'route show default', 'addr show', 'link show'];
  const [rules, routes, addresses, links] = await ipShow(undefined, show, signal);
  const uplinks = new Set(
    z
      .array(Route)
      .parse(routes)
      .flatMap(({ dev }) => dev ?? []),
  );
  const local = z.array(Addressed).parse(addresses);
  const link = linkCalled(out, z.array(Link).parse(links));
  const asked = [...uplinks, ...(link === undefined ? [] : [out])];
  const keys = asked.map((name) => `net.ipv4.conf.${name.replaceAll('.', '/')}.forwarding`);
  const [isRouter, ...forwarding] = await readSysctls(undefined, ['net.ipv4.ip_forward', ...keys], signal);
  return {
    rules: rulesFrom(rules),
    uplinks: [...uplinks],
    own: local
      .flatMap(({ addr_info: infos }) => (infos ?? []).map((info) => info.local))
      .filter(isPublicUnicast)
      .sort(),
    hasLink: link !== undefined && isUp(link),
    isRouter: isRouter === '1',
    forwarding: new Set(asked.filter((_name, index) => forwarding[index] === '1')),
  };
}

/** Why it must be made again, or `undefined`. */
export function damageOfHost(network: Network, isDirect: boolean, sight: HostSight): string | undefined {
  const [out, link] = [egressLink(network), hostLink(network)];
  const missing = wantedRules(network, isDirect, sight).filter((rule) => !sight.rules.includes(rule));
  if (missing.length > 0) return `the host's routing policy lacks: ${missing.join(', ')}`;
  if (surplusRules(network, isDirect, sight).length > 0) return 'routing policy of the host is left over';
  if (!isDirect) return sight.hasLink ? `link ${out} is left over` : undefined;
  if (!sight.hasLink) return `link ${out} is gone or down`;
  const still = [out, ...sight.uplinks].filter((name) => !sight.forwarding.has(name));
  return still.length === 0 ? undefined : `${link} and ${still.join(', ')} do not carry each other's packets`;
}

/** Our numbers, whatever they say now. */
const OURS = /^priority 519[012] /;

function wantedRules(network: Network, isDirect: boolean, { uplinks, isRouter }: HostSight): string[] {
  const closed = isDirect && !isRouter ? uplinks.map(notARouter) : [];
  return [noTransit(hostLink(network)), ...(isDirect ? [ANSWERS] : []), ...closed];
}

function surplusRules(network: Network, isDirect: boolean, sight: HostSight): string[] {
  const wanted = new Set(wantedRules(network, isDirect, sight));
  return sight.rules.filter((rule) => OURS.test(rule) && !wanted.has(rule));
}

/** Rules come before what they limit. */
export async function ensureHostRouting(
  network: Network,
  isDirect: boolean,
  sight: HostSight,
  signal: AbortSignal,
): Promise<void> {
  const surplus = surplusRules(network, isDirect, sight);
  const missing = wantedRules(network, isDirect, sight).filter((rule) => !sight.rules.includes(rule));
  const lines = missing.map((rule) => `rule add ${rule}`);
  if (lines.length > 0) await ipBatch(undefined, lines, signal);
  await dropRules(surplus, sight, signal);
  if (!isDirect) return removeLink(undefined, egressLink(network), signal);
  await ensureLink(network, sight, signal);
  const names = [egressLink(network), ...sight.uplinks];
  await setForwarding(names, 1, signal);
}

/** A machine that did not forward before stops doing so on an interface that is not our uplink any more. */
async function dropRules(surplus: readonly string[], sight: HostSight, signal: AbortSignal): Promise<void> {
  const closed = surplus.flatMap((rule) => NOT_A_ROUTER.exec(rule)?.[1] ?? []);
  if (!sight.isRouter) await setForwarding(closed, 0, signal);
  if (surplus.length > 0)
    await ipBatch(
      undefined,
      surplus.map((rule) => `rule del ${rule}`),
      signal,
    );
}

async function ensureLink(network: Network, sight: HostSight, signal: AbortSignal): Promise<void> {
  const [out, hub] = [egressLink(network), hubNetns(network)];
  if (!sight.hasLink) {
    await removeLink(undefined, out, signal);
    const peer = `type veth peer name ${HUB_END_OF_EGRESS} address ${MAC.hub} netns ${hub}`;
    await ipBatch(undefined, [`link add name ${out} address ${MAC.host} ${peer}`], signal);
  }
  const conf = `net.ipv4.conf.${out}`;
  const strict = { [`${conf}.rp_filter`]: 1, [`${conf}.src_valid_mark`]: 1 };
  await setSysctls(undefined, { ...strict, [`net.ipv6.conf.${out}.disable_ipv6`]: 1 }, signal);
  await ipBatch(
    hub,
    [
      `link set dev ${HUB_END_OF_EGRESS} up`,
      `neigh replace ${network.edge} lladdr ${MAC.host} dev ${HUB_END_OF_EGRESS} nud permanent`,
    ],
    signal,
  );
  await ipBatch(
    undefined,
    [
      `link set dev ${out} up`,
      `neigh replace ${network.hub} lladdr ${MAC.hub} dev ${out} nud permanent`,
      `route replace ${network.pool} via ${network.hub} dev ${out} onlink table ${ANSWERS_TABLE}`,
    ],
    signal,
  );
}

async function setForwarding(links: readonly string[], value: 0 | 1, signal: AbortSignal): Promise<void> {
  if (links.length === 0) return;
  const keys = links.map((name) => [`net.ipv4.conf.${name.replaceAll('.', '/')}.forwarding`, value] as const);
  await setSysctls(undefined, Object.fromEntries(keys), signal);
}

/** Default routes of the hub for what leaves. */
export async function ensureHubRoutes(
  network: Network,
  isDirect: boolean,
  signal: AbortSignal,
): Promise<void> {
  const route = (by: 'tor' | 'direct', link: string): string =>
    `route replace default via ${network.edge} dev ${link} onlink table ${EGRESS_TABLES[by]}`;
  const direct = isDirect ? [route('direct', HUB_END_OF_EGRESS)] : [];
  await ipBatch(hubNetns(network), [route('tor', HUB_END_OF_HOST), ...direct], signal);
}

/** Tables of the hub that have their default route. */
export async function hubRoutes(network: Network, signal: AbortSignal): Promise<Set<number>> {
  const argv = inNetns(hubNetns(network), ['ip', '-json', 'route', 'show', 'table', 'all', 'default']);
  const { stdout } = await run(argv, { signal });
  const parsed = z.array(z.object({ table: z.coerce.number().optional() })).parse(JSON.parse(stdout || '[]'));
  return new Set(parsed.flatMap(({ table }) => table ?? []));
}

export async function removeHostRouting(
  network: Network,
  sight: HostSight,
  signal: AbortSignal,
): Promise<void> {
  await dropRules(
    sight.rules.filter((rule) => OURS.test(rule)),
    sight,
    signal,
  );
  await removeLink(undefined, egressLink(network), signal);
}
