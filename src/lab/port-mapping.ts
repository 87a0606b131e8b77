import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import type { LabNode } from './node.ts';
import { waitForPort } from './services.ts';
import { networksOf, type NodeService, type Topology } from './topology.ts';

type PortMapping = Extract<NodeService, { type: 'port-mapping' }>;

/** What miniupnpd keeps its mappings in: a table of its own, before the router's. */
const TABLE = `table inet upnp {
  chain forward { type filter hook forward priority -1; policy accept; jump miniupnpd; }
  chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority 99; jump postrouting_miniupnpd; }
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}
`;

const HTTP_PORT = 5000;
const PCP_PORT = 5351;

/** The real thing, as on most home routers. Its mappings live in memory alone: a reboot forgets them. */
export async function startPortMapping(
  node: LabNode,
  topology: Topology,
  service: PortMapping,
  signal: AbortSignal,
): Promise<void> {
  const folder = join(node.directory, 'miniupnpd');
  await mkdir(folder, { recursive: true });
  await node.run(['nft', '-f', '-'], { signal, input: `${TABLE}${silenceRules(service)}` });
  // Multicast to the LAN has no route of its own where the default route leads elsewhere.
  await node.run(['ip', 'route', 'replace', '224.0.0.0/4', 'dev', service.inside], { signal });
  // Left by a power cut: its number may be another process's by now, and miniupnpd would not start.
  await rm(join(folder, 'pid'), { force: true });
  await writeFile(join(folder, 'conf'), configOf(node, topology, service));
  await node.detach(['miniupnpd', '-d', '-f', join(folder, 'conf'), '-P', join(folder, 'pid')], {
    logFile: join(folder, 'log'),
  });
  if (speaksNatPmp(service)) await waitForPort(node, 'udp', PCP_PORT, signal);
  if (service.protocols.includes('upnp')) await waitForPort(node, 'tcp', HTTP_PORT, signal);
}

function speaksNatPmp({ protocols }: PortMapping): boolean {
  return protocols.includes('pcp') || protocols.includes('nat-pmp');
}

/** miniupnpd speaks PCP and NAT-PMP on one port, or neither; packets of the other one (first byte) are dropped. */
function silenceRules({ protocols }: PortMapping): string {
  const silent = [...(protocols.includes('pcp') ? [] : [2]), ...(protocols.includes('nat-pmp') ? [] : [0])];
  const rules = silent.map((version) => `    udp dport ${PCP_PORT} @th,64,8 ${version} drop`);
  return `table inet only {\n  chain input {\n    type filter hook input priority -10\n${rules.join('\n')}\n  }\n}\n`;
}

function configOf(node: LabNode, topology: Topology, service: PortMapping): string {
  const attachment = networksOf(topology, node.name).find(({ network }) => network === service.inside);
  const outside = topology.nodes[node.name]?.nat?.outside;
  const inside = attachment?.addresses[0];
  if (inside === undefined || outside === undefined) {
    throw new GatewayError(`${node.name} has no inside or no outside`, { code: 'LabFailed' });
  }
  const isOn = (is: boolean): string => (is ? 'yes' : 'no');
  return `ext_ifname=${outside}
${service.tells === undefined ? '' : `ext_ip=${service.tells}\n`}listening_ip=${service.inside}
http_port=${HTTP_PORT}
enable_upnp=${isOn(service.protocols.includes('upnp'))}
enable_natpmp=${isOn(speaksNatPmp(service))}
secure_mode=yes
min_lifetime=${Math.min(Math.floor(service.longestLease / 2), 120)}
max_lifetime=${service.longestLease}
system_uptime=no
notify_interval=30
uuid=${uuidOf(node.name)}
upnp_table_name=upnp
upnp_nat_table_name=upnp
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
allow 1024-65535 ${inside} 1024-65535
allow 80 ${inside} 1-65535
allow 443 ${inside} 1-65535
deny 0-65535 0.0.0.0/0 0-65535
`;
}

/** The same after a reboot, another for each router. */
function uuidOf(name: string): string {
  const hex = Buffer.from(name.padEnd(16, '-')).toString('hex');
  return [0, 8, 12, 16, 20].map((from, index) => hex.slice(from, [8, 12, 16, 20, 32][index])).join('-');
}
