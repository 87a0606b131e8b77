import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GATEWAY_INSIDE, gatewayFolder, NODE_INSIDE } from './places.ts';
import type { LabNode } from './node.ts';
import { consensusOf, prepareTorState, saveTorState, type TorState } from './tor-cache.ts';
import { INITIAL_INTERVAL, relayTorrc } from './tor-network.ts';
import { addressOf, firstAddress, networksOf, type NodeService, type Topology } from './topology.ts';
import { waitFor } from './waiting.ts';
import { fileURLToPath } from 'node:url';

type Dns = Extract<NodeService, { type: 'dns' }>;
type Page = Extract<NodeService, { type: 'page' }>;

/** Knot with one zone, in memory. */
export async function startDns(
  node: LabNode,
  topology: Topology,
  dns: Dns,
  signal: AbortSignal,
): Promise<void> {
  const folder = join(node.directory, 'knot');
  await mkdir(folder, { recursive: true });
  const address = firstAddress(topology, node.name) ?? '';
  await writeFile(join(folder, 'zone'), zoneText(dns, address));
  await writeFile(join(folder, 'knot.conf'), knotConfig(dns, folder, address));
  await node.run(['knotd', '-d', '-c', join(folder, 'knot.conf')], { signal });
  await waitForPort(node, 'udp', 53, signal);
}

function zoneText({ zone, names }: Dns, address: string): string {
  const lines = Object.entries({ ns: address, ...names }).map(([name, target]) => `${name} A ${target}`);
  return `$ORIGIN ${zone}.\n$TTL 5\n@ SOA ns hostmaster 1 3600 600 86400 5\n@ NS ns\n${lines.join('\n')}\n`;
}

function knotConfig({ zone, updates }: Dns, folder: string, address: string): string {
  return `server:
    rundir: "${folder}"
    listen: ${address}@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: "${folder}/log"
    any: info
database:
    storage: "${folder}"
${updates === undefined ? '' : updateKey(updates)}zone:
  - domain: ${zone}
    storage: "${folder}"
    file: "zone"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
${updates === undefined ? '' : '    acl: updates\n'}`;
}

function updateKey(secret: string): string {
  return `key:
  - id: updates
    algorithm: hmac-sha256
    secret: ${secret}
acl:
  - id: updates
    key: updates
    action: update
`;
}

export async function startPage(node: LabNode, { port, title }: Page, signal: AbortSignal): Promise<void> {
  // This file and the page's program are siblings, compiled or not.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const program = fileURLToPath(new URL(`page-main.${extension}`, import.meta.url));
  const inside = program.replace(gatewayFolder(), GATEWAY_INSIDE);
  await mkdir(node.directory, { recursive: true });
  const small = [
    '--max-old-space-size=16',
    '--max-semi-space-size=1',
    '--disable-warning=ExperimentalWarning',
  ];
  await node.detach([NODE_INSIDE, ...small, inside, `${port}`, title], {
    logFile: join(node.directory, 'page.log'),
  });
  await waitForPort(node, 'tcp', port, signal);
}

/** Until something in the node listens on a port: seen in the kernel's own table, without asking the server. */
export async function waitForPort(
  node: LabNode,
  protocol: 'tcp' | 'udp',
  port: number,
  signal: AbortSignal,
): Promise<void> {
  // State 0A: LISTEN; 07: an unconnected UDP socket (proc(5)).
  const state = protocol === 'tcp' ? '0A' : '07';
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const isListed = (line: string): boolean => {
    const [, local, , current] = line.trim().split(/\s+/);
    return local?.endsWith(wanted) === true && current === state;
  };
  await waitFor(
    async () => {
      const tables = [protocol, `${protocol}6`].map((table) =>
        readFile(`/proc/${node.pid}/net/${table}`, 'utf8'),
      );
      return (await Promise.all(tables)).join('').split('\n').some(isListed) ? true : undefined;
    },
    { signal, timeoutMs: 10_000, what: `${node.name} listens on ${protocol} port ${port}` },
  );
}

/** Keys first: they need no network, so a lab makes or copies them while its nodes start. */
export function prepareTor(
  directory: string,
  topology: Topology,
  node: string,
  signal: AbortSignal,
): Promise<TorState> {
  const addresses = networksOf(topology, node).flatMap((attachment) => attachment.addresses.map(addressOf));
  const tor = topology.nodes[node]?.services.find((service) => service.type === 'tor');
  return prepareTorState(directory, addresses, tor?.exits ?? 1, signal);
}

export interface TorStart {
  readonly node: LabNode;
  readonly directory: string;
  readonly state: TorState;
  readonly signal: AbortSignal;
}

const FULL_CONSENSUS_MS = 120_000;

/** Starts the relays; resolves when they agree on a consensus that lists them all. */
export async function startTor({ node, directory, state, signal }: TorStart): Promise<void> {
  const { relays, isWarm } = state;
  const firstVote = Math.floor(Date.now() / 1000) + INITIAL_INTERVAL;
  await writeFile(join(directory, 'empty'), '');
  await Promise.all(
    relays.map(async (relay) => {
      const home = join(directory, relay.name);
      await writeFile(join(home, 'torrc'), relayTorrc(relay, relays, { directory: home, firstVote }));
      const defaults = join(directory, 'empty');
      await node.run(['tor', '-f', join(home, 'torrc'), '--defaults-torrc', defaults, '--quiet'], { signal });
    }),
  );
  await waitFor(
    async () => ((await consensusOf(directory, relays))?.relays === relays.length ? true : undefined),
    {
      signal,
      timeoutMs: FULL_CONSENSUS_MS,
      what: 'the relays of the private Tor network agree',
      intervalMs: 20,
    },
  );
  if (!isWarm) await saveTorState(directory, relays);
}
