import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Network } from '../core/service.ts';
import type { SeenTunnel, TunnelSpec } from '../core/tunnel-operations.ts';
import { ipShow } from '../system/ip-show.ts';
import { inNetns, isNetns } from '../system/netns.ts';
import { listTable } from '../system/nft.ts';
import { run } from '../system/run.ts';
import type { WireguardDump } from '../wire/wireguard.ts';
import { parseAlias, TunnelAlias } from './alias.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { linkCalled, listLinks, listRules } from './links.ts';
import { hubNetns, ownerOf } from './names.ts';
import { addressesOf } from './tunnel-link.ts';
import { listTunnelMarks, type TunnelMark } from './tunnel-marks.ts';
import { markOf, routesOf, tunnelLink, tunnelRouting, tunnelTable } from './tunnel-rules.ts';
import { dumpInterface } from './wireguard-links.ts';

/** As the kernel tells it, handles of rules included: a rule that was taken out and put back is another one. */
export async function filterOf(network: Network, number: number, signal: AbortSignal): Promise<string> {
  const listed = await listTable(hubNetns(network), tunnelTable(number), signal);
  return createHash('sha256')
    .update(listed ?? '')
    .digest('hex');
}

export const observeTunnels: Handler<'tunnel.observe'> = async ({ network }, environment, signal) => {
  const marks = await listTunnelMarks(environment, network);
  const tunnels: SeenTunnel[] = [];
  for (const mark of marks) tunnels.push(await observeTunnel(mark, network, environment, signal));
  return { tunnels };
};

async function observeTunnel(
  mark: TunnelMark,
  network: Network,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<SeenTunnel> {
  const { tunnel: spec } = mark;
  const name = tunnelLink(network, spec.number);
  const dump = (await isNetns(hubNetns(network)))
    ? await dumpInterface(network, { name, place: 'hub' }, signal)
    : undefined;
  const peer = dump?.peers.find(({ publicKey }) => publicKey === spec.publicKey);
  const renew = await damageOf(mark, dump, network, environment, signal);
  return {
    number: spec.number,
    spec,
    ...(renew === undefined ? {} : { renew }),
    publicKey: dump?.publicKey ?? '',
    ...(peer?.endpoint === undefined ? {} : { endpoint: peer.endpoint }),
    latestHandshake: peer?.latestHandshake ?? 0,
    received: peer?.received ?? 0,
    sent: peer?.sent ?? 0,
  };
}

const Routed = z.array(z.object({ dev: z.string().optional() }));

async function damageOf(
  { tunnel, filter }: TunnelMark,
  dump: WireguardDump | undefined,
  network: Network,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { number, address: own } = tunnel;
  const [hub, name] = [hubNetns(network), tunnelLink(network, number)];
  if (filter === undefined) return 'it is half made';
  if (dump === undefined) return 'its WireGuard interface is gone, or does not answer';
  const [link, rules, addresses, [routes], stands] = await Promise.all([
    listLinks(hub, signal).then((links) => linkCalled(name, links)),
    listRules(hub, signal, '-4'),
    addressesOf(network, name, signal),
    ipShow(hub, [`route show default table ${routesOf(number)}`], signal),
    filterOf(network, number, signal),
  ]);
  if (stands !== filter) return 'its packet filter was removed or changed';
  if (parseAlias(link?.ifalias, TunnelAlias)?.owner !== ownerOf(environment)) return 'it is half made';
  if (link?.flags.includes('UP') !== true) return 'its WireGuard interface is down';
  if (!addresses.includes(own)) return `it lost its address ${own}`;
  if (tunnelRouting(number).some((rule) => !rules.includes(rule))) return 'its routing policy was removed';
  if (!Routed.parse(routes).some(({ dev }) => dev === name)) return 'its route was removed';
  return hasPeerAlone(tunnel, dump) ? undefined : 'its peer was changed';
}

function hasPeerAlone({ publicKey }: TunnelSpec, { peers }: WireguardDump): boolean {
  return peers.length === 1 && peers[0]?.publicKey === publicKey;
}

export const listVisitors: Handler<'tunnel.visitors'> = async (
  { network, number, port, source },
  _environment,
  signal,
) => {
  const hub = hubNetns(network);
  if (!(await isNetns(hub))) return { ports: [] };
  const filter = ['--mark', String(markOf(number)), '-p', 'tcp', '--orig-src', source];
  const argv = inNetns(hub, ['conntrack', '-L', ...filter, '--orig-port-dst', String(port)]);
  const { stdout } = await run(argv, { signal });
  // The first of each line is that of who began.
  const found = stdout.split('\n').flatMap((line) => /\bsport=([0-9]+)/.exec(line)?.[1] ?? []);
  return { ports: found.map(Number) };
};

export const listHandshakes: Handler<'tunnel.handshakes'> = async ({ network }, environment, signal) => {
  const marks = await listTunnelMarks(environment, network);
  const tunnels = await Promise.all(
    marks.map(async ({ tunnel: { number, publicKey } }) => {
      const dump = await dumpInterface(network, { name: tunnelLink(network, number), place: 'hub' }, signal);
      const peer = dump?.peers.find((each) => each.publicKey === publicKey);
      const there = peer?.endpoint === undefined ? {} : { endpoint: peer.endpoint };
      return { number, ...there, latestHandshake: peer?.latestHandshake ?? 0 };
    }),
  );
  return { tunnels };
};
