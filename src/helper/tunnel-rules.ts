import { NOT_PUBLIC } from '../core/inet.ts';
import { MOST_TUNNELS, type TunnelSpec } from '../core/tunnel-operations.ts';
import type { Network } from '../core/service.ts';
import { HUB_END_OF_HOST, TABLE } from './names.ts';

/** Connections that came in by a relay carry its mark, in both directions. */
const FIRST_MARK = 16;
export const TUNNEL_MARKS = `${FIRST_MARK}-${FIRST_MARK + MOST_TUNNELS - 1}`;
const FIRST_TABLE = 216;

export function markOf(number: number): number {
  return FIRST_MARK + number;
}

export function routesOf(number: number): number {
  return FIRST_TABLE + number;
}

export function tunnelLink({ prefix }: Pick<Network, 'prefix'>, number: number): string {
  return `${prefix}r-${number}`;
}

export function tunnelTable(number: number): string {
  return `${TABLE}-relay-${number}`;
}

/**
 * Services, the edge and devices are where the hub always finds them; everybody else is at the relay. The reverse path
 * check follows the same two rules: so nobody in the tunnel can speak as a service, and no service as a visitor.
 */
export function tunnelRouting(number: number): readonly string[] {
  const mark = markOf(number);
  return [
    `priority ${140 + number} fwmark ${mark} lookup ${routesOf(number)}`,
    `priority ${120 + number} fwmark ${mark} lookup main`,
  ];
}

/** Where the relay sends the datagrams of devices (relay/root/rules.ts). */
const DEVICES_PORT = 51_820;
/** Headers of IPv4 and TCP. */
const HEADERS = 40;

/**
 * What one relay may send in. It is taken for hostile: only what was declared gets through.
 *
 *   source              | to our address in the tunnel | goes to
 *   --------------------+------------------------------+----------------------------------------
 *   the relay's own     | TCP 443, 80                  | the edge's listener for this relay alone
 *   a public address    | a declared TCP port          | the service, source kept
 *   a public address    | UDP 51820, where declared    | this machine's WireGuard, which sees the hub
 *   anything else       | anything else                | dropped
 *
 * The host's namespace has no route to visitors at the relay, so what goes there comes from the hub.
 */
export function tunnelRules(tunnel: TunnelSpec, network: Network): string {
  const { number, address, relayAddress, mtu, web, ports, devices } = tunnel;
  const [table, link, mark] = [tunnelTable(number), tunnelLink(network, number), markOf(number)];
  const isOwn = `iifname "${link}"`;
  const size = `tcp option maxseg size set ${mtu - HEADERS}`;
  const fromRelay = `ip saddr ${relayAddress} ip daddr ${address} tcp dport { 443, 80 }`;
  const open = ports.map(({ port }) => port).join(', ');
  const fromPublic = `ip saddr != { ${NOT_PUBLIC.join(', ')} } ip daddr ${address}`;
  const fromVisitors = `${fromPublic} tcp dport { ${open} }`;
  const fromDevices = `${fromPublic} udp dport ${DEVICES_PORT}`;
  return `
add table inet ${table}
delete table inet ${table}
table inet ${table} {
  chain letIn {
    ct mark set ${mark}
    meta mark set ${mark}
    accept
  }
  chain permit {
    type filter hook prerouting priority mangle + 1; policy accept;
    iifname != "${link}" accept
    ct state established,related meta mark ${mark} accept
${web === undefined ? '' : `    ct state new ${fromRelay} goto letIn\n`}${ports.length === 0 ? '' : `    ct state new ${fromVisitors} goto letIn\n`}${devices === undefined ? '' : `    ct state new ${fromDevices} goto letIn\n`}    drop
  }
  chain translate {
    type nat hook prerouting priority dstnat; policy accept;
${[
  ...toEdge(web, network),
  ...toWireguard(devices, network),
  ...ports.map(({ port, to }) => toPort(port, to.address, to.port)),
]
  .map((rule) => `    ${isOwn} ${rule}\n`)
  .join('')}  }
  chain fromHub {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "${HUB_END_OF_HOST}" meta mark ${mark} snat ip to ${network.hub}
${ports
  .filter(({ isFromHub }) => isFromHub === true)
  .map(
    ({ to }) =>
      `    meta mark ${mark} ip daddr ${to.address} tcp dport ${to.port} snat ip to ${network.hub}\n`,
  )
  .join('')}  }
  chain clamp {
    type filter hook forward priority mangle; policy accept;
    ${isOwn} tcp flags syn ${size}
    oifname "${link}" tcp flags syn ${size}
  }
}
`;
}

function toEdge(web: TunnelSpec['web'], { edge }: Network): string[] {
  return web === undefined ? [] : [toPort(443, edge, web.https), toPort(80, edge, web.http)];
}

/**
 * At the address that this machine's answers come from by themselves (hub.ts, `src`): WireGuard that speaks first, after it
 * was made anew, is in the same connection.
 */
function toWireguard(devices: TunnelSpec['devices'], { tor }: Network): string[] {
  return devices === undefined ? [] : [`udp dport ${DEVICES_PORT} dnat ip to ${tor}:${devices}`];
}

function toPort(port: number, address: string, to: number): string {
  return `tcp dport ${port} dnat ip to ${address}:${to}`;
}
