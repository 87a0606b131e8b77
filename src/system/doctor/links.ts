import { networkInterfaces } from 'node:os';
import { z } from 'zod';
import { formatIpv4 } from '../../core/inet.ts';
import type { DefaultRoute, InterfaceKind, WayOut } from '../../doctor/world.ts';
import { addressTowards } from '../address-towards.ts';
import { findHomeNetwork } from '../mapping/home-network.ts';
import { printed } from './printed.ts';
import { readText } from './text.ts';

/** Nobody has them (RFC 5737, RFC 3849): the question is only which way they would go. */
const OUTWARDS = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;

export async function wayOut(family: 4 | 6, signal: AbortSignal): Promise<WayOut | undefined> {
  const address = await addressTowards(OUTWARDS[family]);
  const found = address === undefined ? undefined : interfaceOf(address);
  if (address === undefined || found === undefined) return undefined;
  const { kind, mtu } = await linkOf(found, signal);
  const home = family === 4 && kind !== 'tunnel' ? await findHomeNetwork() : undefined;
  return {
    address,
    interface: found,
    gateway: home?.address === address ? home.router : null,
    kind,
    mtu,
  };
}

function interfaceOf(address: string): string | undefined {
  return Object.entries(networkInterfaces()).find(([, all]) =>
    all?.some((one) => one.address === address),
  )?.[0];
}

/** As ip(8) names what is no Ethernet: `none` is what tun and WireGuard are. */
const KINDS: Readonly<Record<string, InterfaceKind>> = {
  none: 'tunnel',
  ipip: 'tunnel',
  gre: 'tunnel',
  sit: 'tunnel',
  ppp: 'line',
  loopback: 'loopback',
};
const Links = z.array(z.object({ link_type: z.string(), mtu: z.number() }));

/** Not from /sys, which shows the interfaces of whoever mounted it. */
async function linkOf(name: string, signal: AbortSignal): Promise<Pick<WayOut, 'kind' | 'mtu'>> {
  const shown = await printed(['ip', '-j', 'link', 'show', 'dev', name], signal);
  const text = shown?.exitCode === 0 ? shown.stdout : '[]';
  const [link] = Links.safeParse(JSON.parse(text)).data ?? [];
  return { kind: KINDS[link?.link_type ?? ''] ?? 'ordinary', mtu: link?.mtu };
}

const UP_AND_GATEWAY = 3;

/** proc_net(5): addresses in hexadecimal, last byte first. */
export async function defaultRoutes(): Promise<DefaultRoute[]> {
  const lines = ((await readText('/proc/net/route')) ?? '').split('\n').slice(1);
  return lines.flatMap((line) => {
    const [name = '', destination, gateway = '', flags = '0', , , metric, mask] = line.trim().split(/\s+/);
    const isDefault = destination === '00000000' && mask === '00000000';
    if (!isDefault || (parseInt(flags, 16) & UP_AND_GATEWAY) !== UP_AND_GATEWAY) return [];
    const bytes = gateway.match(/../g) ?? [];
    return [
      {
        interface: name,
        gateway: formatIpv4(parseInt(bytes.toReversed().join(''), 16)),
        metric: Number(metric),
      },
    ];
  });
}
