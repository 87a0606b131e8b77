import { z } from 'zod';
import { deviceBlock } from '../core/allocate.ts';
import { GatewayError } from '../core/errors.ts';
import type { WireguardInterface } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { deviceBlock6 } from '../core/ula.ts';
import { ipShow } from '../system/ip-show.ts';
import { inNetns, isNetns, type Netns } from '../system/netns.ts';
import { run } from '../system/run.ts';
import { parseDump, type WireguardDump } from '../wire/wireguard.ts';
import { parseAlias, WireguardAlias } from './alias.ts';
import { hubNetns } from './names.ts';
import { askWireguardGo } from './wireguard-ask.ts';

/** An interface with a name of ours, wherever it is: between being made and being moved it is still with the host. */
export interface WireguardLink {
  readonly name: string;
  readonly place: 'hub' | 'host';
  readonly implementation: WireguardInterface['implementation'];
  readonly isUp: boolean;
  /** With their lengths: `10.64.8.1/32`; IPv4 first, without those of the link. */
  readonly addresses: readonly string[];
  /** Is the devices' half of the pool routed into it, in each family that we have? */
  readonly isRouted: boolean;
  /** `undefined` while it is half made. */
  readonly alias: WireguardAlias | undefined;
}

/** Where the filter leaves a link out, `ip` prints an empty object. */
const Link = z.object({
  ifname: z.string().default(''),
  ifalias: z.string().optional(),
  flags: z.array(z.string()).default([]),
});
const Addressed = z.object({
  ifname: z.string().default(''),
  addr_info: z.array(z.object({ local: z.string(), prefixlen: z.number(), scope: z.string() })).default([]),
});
const Route = z.object({ dev: z.string().optional() });

export function isOwnName(network: Network, name: string): boolean {
  return name.startsWith(`${network.prefix}wg`) && /^[0-9]+$/.test(name.slice(network.prefix.length + 2));
}

/** `standing`: does the hub? Whoever asks for more at the same time hands over the same promise. */
export async function findWireguardLinks(
  network: Network,
  signal: AbortSignal,
  standing = isNetns(hubNetns(network)),
): Promise<WireguardLink[]> {
  const hub = hubNetns(network);
  const [inHub, outside] = await Promise.all([
    (await standing) ? linksIn(hub, 'hub', network, signal) : [],
    linksIn(undefined, 'host', network, signal),
  ]);
  return [...inHub, ...outside];
}

async function linksIn(
  netns: Netns,
  place: WireguardLink['place'],
  network: Network,
  signal: AbortSignal,
): Promise<WireguardLink[]> {
  // Only `link show` tells the alias, only `addr show` the addresses.
  const kinds = ['wireguard', 'tun'].flatMap((kind) => [`link show type ${kind}`, `addr show type ${kind}`]);
  const route = `route show exact ${deviceBlock(network.pool)}`;
  const block6 = netns === undefined ? undefined : deviceBlock6(network);
  const [shown, shown6] = await Promise.all([
    ipShow(netns, [...kinds, route], signal),
    block6 === undefined ? undefined : ipShow(netns, [`route show exact ${block6}`], signal, '-6'),
  ]);
  const [kernel = [], kernelAddresses = [], tun = [], tunAddresses = [], routes = []] = shown;
  const routed6 = shown6 === undefined ? undefined : devicesOf(shown6[0]);
  const routed = devicesOf(routes);
  const isRouted = (name: string): boolean => routed.has(name) && routed6?.has(name) !== false;
  const addressesOf = addressesByName([...kernelAddresses, ...tunAddresses]);
  const read = (links: unknown, implementation: WireguardLink['implementation']): WireguardLink[] =>
    Link.array()
      .parse(links)
      .filter(({ ifname }) => isOwnName(network, ifname))
      .map(({ ifname: name, ifalias, flags }) => ({
        name,
        place,
        implementation,
        isUp: flags.includes('UP'),
        addresses: addressesOf.get(name) ?? [],
        isRouted: isRouted(name),
        alias: parseAlias(ifalias, WireguardAlias),
      }));
  return [...read(kernel, 'kernel'), ...read(tun, 'wireguard-go')];
}

/** Alias of an interface in the hub, which says whose it is; `undefined` where there is no such interface. */
export async function aliasInHub(
  network: Network,
  name: string,
  signal: AbortSignal,
): Promise<{ readonly alias: WireguardAlias | undefined } | undefined> {
  const hub = hubNetns(network);
  if (!(await isNetns(hub))) return undefined;
  const shown = await ipShow(hub, ['link show type wireguard', 'link show type tun'], signal);
  const link = Link.array()
    .parse(shown.flat())
    .find(({ ifname }) => ifname === name);
  return link === undefined ? undefined : { alias: parseAlias(link.ifalias, WireguardAlias) };
}

function addressesByName(shown: unknown): ReadonlyMap<string, readonly string[]> {
  const entries = Addressed.array().parse(shown);
  return new Map(
    entries.map(({ ifname, addr_info: infos }) => {
      const own = infos.filter(({ scope }) => scope !== 'link');
      return [ifname, own.map(({ local, prefixlen }) => `${local}/${prefixlen}`)];
    }),
  );
}

function devicesOf(routes: unknown): ReadonlySet<string | undefined> {
  return new Set(
    Route.array()
      .parse(routes)
      .map(({ dev }) => dev),
  );
}

const DUMP_TIMEOUT_MS = 2000;

/** `undefined` when nobody answers for the interface: its process hangs or is gone. */
export function dumpInterface(
  network: Network,
  link: Pick<WireguardLink, 'name' | 'place'>,
  signal: AbortSignal,
): Promise<WireguardDump | undefined> {
  return dumpIn(link.place === 'hub' ? hubNetns(network) : undefined, link.name, signal);
}

/** The same of an interface in this namespace. */
export async function dumpIn(
  netns: Netns,
  name: string,
  signal: AbortSignal,
): Promise<WireguardDump | undefined> {
  const said = await askWireguardGo(name, AbortSignal.any([signal, AbortSignal.timeout(DUMP_TIMEOUT_MS)]));
  if (said !== 'absent') return said === 'silent' ? undefined : said;
  const options = { signal, accept: [0, 1], timeoutMs: DUMP_TIMEOUT_MS };
  try {
    const ran = await run(inNetns(netns, ['wg', 'show', name, 'dump']), options);
    return ran.exitCode === 0 ? parseDump(ran.stdout) : undefined;
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'Timeout') return undefined;
    throw error;
  }
}
