import { run } from '../system/run.ts';
import { firewallRules, natRules } from './nat.ts';
import { environmentOutside } from './places.ts';
import { isIpv6, networksOf, type NodeSpec, type Topology } from './topology.ts';

/**
 * Every network is a bridge in the lab's own namespace, every attachment a cable to it. A node that loses power takes
 * its cable with it; nobody else's interface goes away, as with real switches.
 */

/** Commands of `ip -batch` that make the switches; pure. */
export function switchCommands(topology: Topology): string[] {
  return [
    'link set dev lo up',
    ...Object.keys(topology.networks).flatMap((_network, index) => [
      `link add name ${switchName(index)} type bridge forward_delay 0 stp_state 0 mcast_snooping 0`,
      `link set dev ${switchName(index)} up`,
    ]),
  ];
}

/** Plugs a node in: `pid` is a process of the node as the machine counts it, `boot` counts its starts. */
export function cableCommands(topology: Topology, node: string, pid: number, boot: number): string[] {
  return portsOf(topology, node, boot).flatMap(({ network, index, port }) => [
    `link add name ${port} type veth peer name ${network} netns ${pid}`,
    `link set dev ${port} master ${switchName(index)} up`,
  ]);
}

/** Pulls a node's cables; the kernel would, but it takes its time to take a dead namespace apart. */
export async function unplug(topology: Topology, node: string, boot: number, inside: Inside): Promise<void> {
  const commands = portsOf(topology, node, boot).map(({ port }) => `link del dev ${port}`);
  await run(inside.enter(['ip', '-force', '-batch', '-']), {
    signal: inside.signal,
    input: `${commands.join('\n')}\n`,
    env: environmentOutside(),
    // 1: a port is gone already.
    accept: [0, 1],
  });
}

interface Port {
  readonly network: string;
  /** Position of the network in the topology. */
  readonly index: number;
  readonly port: string;
}

/** The switches' ends of a node's cables; `boot` keeps a port apart from its predecessor, which may linger. */
function portsOf(topology: Topology, node: string, boot: number): Port[] {
  const nodeIndex = Object.keys(topology.nodes).indexOf(node);
  const networks = Object.keys(topology.networks);
  return networksOf(topology, node).map(({ network }) => {
    const index = networks.indexOf(network);
    return { network, index, port: `p${index}n${nodeIndex}b${boot}` };
  });
}

/** Inside a node; pure. */
export function addressCommands(topology: Topology, node: string, spec: NodeSpec): string[] {
  return [
    'link set dev lo up',
    ...networksOf(topology, node).flatMap(({ network, addresses }) => [
      // Routers ask for their neighbours from an address of the link.
      ...(addresses.some(isIpv6) ? [`link set dev ${network} addrgenmode eui64`] : []),
      ...addresses.map((address) => `addr add ${address} dev ${network}`),
      `link set dev ${network} up`,
    ]),
    ...(spec.defaultRoute === undefined ? [] : [`route add default via ${spec.defaultRoute}`]),
    ...spec.routes.map(({ to, via }) => `route add ${to} via ${via}`),
  ];
}

function switchName(index: number): string {
  return `br${index}`;
}

export type Enter = (command: readonly [string, ...string[]]) => readonly [string, ...string[]];

interface Inside {
  readonly enter: Enter;
  readonly signal: AbortSignal;
}

/** One process for many changes. */
export async function ipBatch(commands: readonly string[], { enter, signal }: Inside): Promise<void> {
  await run(enter(['ip', '-batch', '-']), {
    signal,
    input: `${commands.join('\n')}\n`,
    env: environmentOutside(),
  });
}

/** Of each network namespace its own. */
const FLOW_TIMERS = [
  'net.netfilter.nf_conntrack_udp_timeout',
  'net.netfilter.nf_conntrack_udp_timeout_stream',
];

/** Forwarding of a router, and its NAT. Rules first: never a moment without the filter. */
export async function startRouting(spec: NodeSpec, { enter, signal }: Inside): Promise<void> {
  const env = environmentOutside();
  if (spec.nat !== undefined) {
    await run(enter(['nft', '-f', '-']), { signal, input: natRules(spec.nat, spec.forwards), env });
  } else if (spec.firewall !== undefined) {
    await run(enter(['nft', '-f', '-']), { signal, input: firewallRules(spec.firewall.outside), env });
  }
  // Rate limits of ICMP errors are per router and make traces through several of them incomplete.
  const forgets =
    spec.forgetsAfter === undefined ? [] : FLOW_TIMERS.map((name) => `${name}=${spec.forgetsAfter}`);
  const settings = [
    'net.ipv4.icmp_ratelimit=0',
    'net.ipv4.ip_forward=1',
    'net.ipv6.conf.all.forwarding=1',
    ...forgets,
  ];
  await run(enter(['sysctl', '-q', '-e', '-w', ...settings]), { signal, env });
}
