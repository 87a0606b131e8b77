import { z } from 'zod';
import type { Network } from '../core/service.ts';
import type { TunnelSpec } from '../core/tunnel-operations.ts';
import { ipShow } from '../system/ip-show.ts';
import { ipBatch, removeLink } from '../system/netns.ts';
import { run } from '../system/run.ts';
import type { HelperEnvironment } from './environment.ts';
import { type Link, linkCalled, listLinks, listRules } from './links.ts';
import { hubNetns } from './names.ts';
import { routesOf, tunnelLink, tunnelRouting } from './tunnel-rules.ts';
import { stopWireguardGo } from './wireguard-go.ts';
import { dumpInterface } from './wireguard-links.ts';
import { createInterface } from './wireguard.ts';

interface Found {
  readonly place: 'hub' | 'host';
  readonly link: Link;
}

export async function findTunnelLink(
  network: Network,
  name: string,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const inHub = linkCalled(name, await listLinks(hubNetns(network), signal));
  if (inHub !== undefined) return { place: 'hub', link: inHub };
  const onHost = linkCalled(name, await listLinks(undefined, signal));
  return onHost === undefined ? undefined : { place: 'host', link: onHost };
}

/** One whose process is gone or hangs is made anew. It is in the hub afterwards. */
export async function ensureTunnelLink(
  network: Network,
  name: string,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<{ readonly implementation: 'kernel' | 'wireguard-go'; readonly isNew: boolean }> {
  const found = await findTunnelLink(network, name, signal);
  const isAnswering =
    found?.place === 'hub' &&
    found.link.flags.includes('UP') &&
    (await dumpInterface(network, { name, place: 'hub' }, signal)) !== undefined;
  if (isAnswering) return { implementation: await implementationOf(network, name, signal), isNew: false };
  await stopWireguardGo(name, signal);
  if (found !== undefined) await removeLink(netnsOf(found.place, network), name, signal);
  const implementation = await createInterface(name, environment, signal);
  await run(['ip', 'link', 'set', 'dev', name, 'netns', hubNetns(network)], { signal });
  return { implementation, isNew: true };
}

function netnsOf(place: Found['place'], network: Network): string | undefined {
  return place === 'hub' ? hubNetns(network) : undefined;
}

async function implementationOf(
  network: Network,
  name: string,
  signal: AbortSignal,
): Promise<'kernel' | 'wireguard-go'> {
  const [shown] = await ipShow(hubNetns(network), ['link show type wireguard'], signal);
  const isKernels = NamedLinks.parse(shown).some(({ ifname }) => ifname === name);
  return isKernels ? 'kernel' : 'wireguard-go';
}

/** Where the filter leaves a link out, `ip` prints an empty object. */
const NamedLinks = z.array(z.object({ ifname: z.string().optional() }));

/** Its address, size and way; nothing of another address stays. */
export async function addressTunnel(
  { number, address: own, mtu }: TunnelSpec,
  network: Network,
  signal: AbortSignal,
): Promise<void> {
  const [hub, name] = [hubNetns(network), tunnelLink(network, number)];
  const stale = (await addressesOf(network, name, signal)).filter((each) => each !== own);
  await ipBatch(
    hub,
    [
      ...stale.map((each) => `addr del ${each}/32 dev ${name}`),
      `addr replace ${own}/32 dev ${name}`,
      `link set dev ${name} mtu ${mtu} up`,
      `route replace default dev ${name} table ${routesOf(number)}`,
    ],
    signal,
  );
  const present = new Set(await listRules(hub, signal, '-4'));
  const missing = tunnelRouting(number).filter((rule) => !present.has(rule));
  await ipBatch(
    hub,
    missing.map((rule) => `rule add ${rule}`),
    signal,
    '-4',
  );
}

const Addressed = z.array(
  z.object({
    ifname: z.string().optional(),
    addr_info: z.array(z.object({ family: z.string(), local: z.string() })).optional(),
  }),
);

export async function addressesOf(network: Network, name: string, signal: AbortSignal): Promise<string[]> {
  const [shown] = await ipShow(hubNetns(network), ['addr show'], signal);
  const found = Addressed.parse(shown).find(({ ifname }) => ifname === name);
  return (found?.addr_info ?? []).filter(({ family }) => family === 'inet').map(({ local }) => local);
}
