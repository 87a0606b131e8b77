import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import type { Argv } from '../system/run.ts';
import { startAcme } from './acme.ts';
import { enterLab, enterNode, environmentInside, startHolder, type LabNode, type NodeState } from './node.ts';
import { writeNodeFiles } from './node-files.ts';
import { gatewayFolder, toolsFolder, tunDevice } from './places.ts';
import { childrenByParent, identify, isAlive, type ProcessId } from './processes.ts';
import { AWAIT_IDS, INIT } from './scripts.ts';
import { startPortMapping } from './port-mapping.ts';
import { prepareTor, startDns, startPage, startTor } from './services.ts';
import type { TorState } from './tor-cache.ts';
import { clientLines } from './tor-network.ts';
import { resolverOf, type NodeSpec, type Topology } from './topology.ts';
import { startInUserNamespace } from './user-namespace.ts';
import { exists, waitFor } from './waiting.ts';
import {
  addressCommands,
  cableCommands,
  ipBatch,
  startRouting,
  switchCommands,
  type Enter,
} from './wiring.ts';

interface HeldNodeEntry {
  readonly state: NodeState;
  readonly node: LabNode;
}

export interface Started {
  readonly launcher: ProcessId;
  readonly init: ProcessId;
  readonly areUsersMapped: boolean;
}

export interface BuildOptions {
  readonly directory: string;
  readonly topology: Topology;
  readonly isDetached: boolean;
  readonly nodes: readonly HeldNodeEntry[];
  readonly signal: AbortSignal;
  readonly progress: (message: string) => void;
  /** Told as soon as there is something that must be ended. */
  readonly started: (started: Started) => Promise<void>;
}

/** From nothing to an internet with its servers running. */
export async function buildLab(options: BuildOptions): Promise<{ torrc: string }> {
  const { directory, topology, nodes, signal, progress, started } = options;
  const torNode = Object.entries(topology.nodes).find(([, spec]) =>
    spec.services.some(({ type }) => type === 'tor'),
  )?.[0];
  progress(`making ${nodes.length} nodes and ${Object.keys(topology.networks).length} networks`);
  const [init, torState] = await Promise.all([
    startInit(options).then(async (result) => {
      await started(result);
      await ipBatch(switchCommands(topology), { enter: labNetwork(result.init.pid), signal });
      return result.init.pid;
    }),
    // Copying or making keys needs no network, so it happens meanwhile.
    torNode === undefined ? undefined : prepareTor(torFolder(directory, torNode), topology, torNode, signal),
  ]);
  await startNodes({ directory, topology, init, nodes, boot: 0, torState, signal, progress });
  return { torrc: torState === undefined ? '' : clientLines(torState.relays) };
}

/** Process 1 of the lab. */
async function startInit({ directory, isDetached, signal }: BuildOptions): Promise<Started> {
  const top = join(directory, '.top');
  const gate = join(top, 'go');
  const logFile = join(top, 'log');
  const words = [directory, gatewayFolder(), toolsFolder(), tunDevice()];
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child'];
  const argv = [...namespaces, 'dash', '-c', AWAIT_IDS, 'lab-wait', gate, INIT, ...words];
  const { launcher, areUsersMapped } = await startInUserNamespace({
    gate,
    argv,
    isDetached,
    logFile,
    signal,
  });
  const until = (file: string): Promise<true> =>
    waitFor(() => exists(join(top, file)), {
      signal,
      timeoutMs: 10_000,
      what: 'the lab is up',
      failed: async () =>
        isAlive(launcher) ? undefined : `the lab did not start: ${await readFile(logFile, 'utf8')}`,
    });
  await until('leashed');
  await writeFile(join(top, 'go-on'), '');
  await until('ready');
  const pid = childrenByParent().get(launcher.pid)?.[0];
  const init = pid === undefined ? undefined : identify(pid);
  if (init === undefined) throw new GatewayError('the lab ended at its start', { code: 'LabFailed' });
  return { launcher, init, areUsersMapped };
}

export interface StartNodesOptions {
  readonly directory: string;
  readonly topology: Topology;
  /** Process 1 of the lab. */
  readonly init: number;
  readonly nodes: readonly HeldNodeEntry[];
  /** How often these nodes were started before. */
  readonly boot: number;
  /** Keys of the Tor network; when absent they lie in the node's folder already. */
  readonly torState: TorState | undefined;
  readonly signal: AbortSignal;
  readonly progress: (message: string) => void;
}

/** Power on: processes, cables, addresses, routing, then servers. */
export async function startNodes(options: StartNodesOptions): Promise<void> {
  const { topology, init, nodes, boot, signal, progress } = options;
  await Promise.all(nodes.map((entry) => power(entry.state, options)));
  const cables = nodes.flatMap(({ node }) => cableCommands(topology, node.name, node.pid, boot));
  await ipBatch(cables, { enter: labNetwork(init), signal });
  await Promise.all(nodes.map(({ node }) => connect(node, specOf(topology, node.name), options)));
  const servers = nodes.flatMap(({ node }) => specOf(topology, node.name).services.map(({ type }) => type));
  if (servers.length > 0) progress(`starting servers: ${servers.join(', ')}`);
  await Promise.all(nodes.map(({ node }) => startServices(node, options)));
}

async function power(state: NodeState, { topology, init, signal }: StartNodesOptions): Promise<void> {
  const { name, directory } = state;
  const hidden = join(directory, '.node');
  await mkdir(directory, { recursive: true, mode: 0o755 });
  await writeNodeFiles({
    name,
    hidden,
    resolver: resolverOf(topology, name),
    searchDomain: zoneOf(topology),
  });
  state.holder = await startHolder({ init, name, hidden, signal });
}

async function connect(
  node: LabNode,
  spec: NodeSpec,
  { topology, signal }: StartNodesOptions,
): Promise<void> {
  const enter: Enter = (command) => enterNode(node.pid, command, environmentInside(node.directory));
  await ipBatch(addressCommands(topology, node.name, spec), { enter, signal });
  if (spec.kind === 'router') await startRouting(spec, { enter, signal });
}

async function startServices(node: LabNode, options: StartNodesOptions): Promise<void> {
  const { topology, signal, directory, progress } = options;
  await Promise.all(
    specOf(topology, node.name).services.map(async (service) => {
      if (service.type === 'dns') return startDns(node, topology, service, signal);
      if (service.type === 'page') return startPage(node, service, signal);
      if (service.type === 'port-mapping') return startPortMapping(node, topology, service, signal);
      if (service.type === 'acme') return startAcme(node, topology, service, signal);
      const folder = torFolder(directory, node.name);
      const state = options.torState ?? (await prepareTor(folder, topology, node.name, signal));
      if (!state.isWarm)
        progress('the private Tor network starts for the first time today: about 10 seconds');
      return startTor({ node, directory: folder, state, signal });
    }),
  );
}

function specOf(topology: Topology, name: string): NodeSpec {
  const spec = topology.nodes[name];
  if (spec === undefined)
    throw new GatewayError(`the topology has no node named ${name}`, { code: 'LabFailed' });
  return spec;
}

function zoneOf(topology: Topology): string | undefined {
  const services = Object.values(topology.nodes).flatMap((node) => node.services);
  return services.find((service) => service.type === 'dns')?.zone;
}

function torFolder(directory: string, node: string): string {
  return join(directory, node, 'tor');
}

/** Enters the namespace with the switches. */
export function labNetwork(init: number): (command: Argv) => Argv {
  return (command) => enterLab(init, ['--net'], command);
}
