import { constants } from 'node:fs';
import { access, chmod, mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import { buildLab, labNetwork, startNodes } from './build.ts';
import { loadTopology } from './load.ts';
import { HeldNode, type LabNode, type NodeState } from './node.ts';
import { LAB_PREFIX, LABS, tunDevice } from './places.ts';
import { identify } from './processes.ts';
import { isRecordAlive, readRecord, writeRecord, type LabRecord } from './record.ts';
import { endProcesses, removeFolder, removeStaleLabs } from './removal.ts';
import type { Topology } from './topology.ts';
import { unplug } from './wiring.ts';

export type { LabNode } from './node.ts';

export interface LabOptions {
  readonly signal: AbortSignal;
  /** Told what is being done, in plain words. */
  readonly progress?: (message: string) => void;
  /** Stays when we end, until somebody stops it. Default: it ends with this process, however that ends. */
  readonly isDetached?: boolean;
  /** Shown by `gateway lab list`; default: the topology's. */
  readonly name?: string;
}

/** An internet in a box. */
export interface Lab extends AsyncDisposable {
  readonly name: string;
  /** Folder outside; `<directory>/<node>` is each node's own. */
  readonly directory: string;
  readonly topology: Topology;
  readonly nodes: readonly string[];
  /** False: programs inside cannot change user; see `limits`. */
  readonly usersMapped: boolean;
  /** torrc lines of a client that lives in the lab's Tor network; empty when it has none. */
  readonly torrc: string;
  /** What this machine does not let the lab do, as sentences. */
  readonly limits: readonly string[];
  /** Throws `LabFailed` when there is no such node. */
  node(name: string): LabNode;
  /** Gives power to a node again after `cut`: same files, same addresses, fresh processes. */
  boot(name: string, signal: AbortSignal): Promise<void>;
  /** Ends every process of it and removes its folder. Twice is fine. */
  stop(): Promise<void>;
}

/** Builds a lab from a topology, the name of a built-in one, or a file. Rejects with `LabFailed`, leaving nothing. */
export async function startLab(topology: Topology | string, options: LabOptions): Promise<Lab> {
  const { signal, isDetached = false } = options;
  const named = typeof topology === 'string' ? await loadTopology(topology) : { name: 'lab', topology };
  await removeStaleLabs(signal);
  const creator = identify(process.pid);
  if (creator === undefined)
    throw new GatewayError('/proc does not show this process', { code: 'LabFailed' });
  const directory = await mkdtemp(join(LABS, LAB_PREFIX));
  const lab = new HeldLab(directory, {
    version: 1,
    name: options.name ?? named.name,
    startedAt: new Date().toISOString(),
    creator,
    isDetached,
    areUsersMapped: false,
    limits: [],
    nodes: Object.fromEntries(Object.keys(named.topology.nodes).map((node) => [node, { boots: 0 }])),
    torrc: '',
    topology: named.topology,
  });
  try {
    await lab.build(options);
    return lab;
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

/** A lab that runs already, started by anybody of this user. */
export async function attachLab(directory: string): Promise<Lab> {
  const record = await readRecord(directory);
  if (record?.init !== undefined && isRecordAlive(record)) return new HeldLab(directory, record);
  throw new GatewayError(`no lab runs in ${directory}`, {
    code: 'LabFailed',
    hint: 'gateway lab list shows what runs; gateway lab up starts one',
  });
}

class HeldLab implements Lab {
  readonly directory: string;
  readonly #record: LabRecord;
  readonly #nodes: ReadonlyMap<string, { readonly state: NodeState; readonly node: LabNode }>;

  constructor(directory: string, record: LabRecord) {
    this.directory = directory;
    this.#record = record;
    this.#nodes = new Map(
      Object.entries(record.nodes).map(([name, { holder }]) => {
        const state: NodeState = { name, directory: join(directory, name), holder };
        return [name, { state, node: new HeldNode(state, () => this.#unplug(name)) }];
      }),
    );
  }

  get name(): string {
    return this.#record.name;
  }

  get topology(): Topology {
    return this.#record.topology;
  }

  get nodes(): readonly string[] {
    return [...this.#nodes.keys()];
  }

  get usersMapped(): boolean {
    return this.#record.areUsersMapped;
  }

  get torrc(): string {
    return this.#record.torrc;
  }

  get limits(): readonly string[] {
    return this.#record.limits;
  }

  node(name: string): LabNode {
    const found = this.#nodes.get(name);
    if (found !== undefined) return found.node;
    throw new GatewayError(`the lab ${this.name} has no node named ${name}`, {
      code: 'LabFailed',
      retry: 'never',
      hint: `it has: ${this.nodes.join(', ')}`,
    });
  }

  async build({ signal, progress = () => undefined, isDetached = false }: LabOptions): Promise<void> {
    const { directory } = this;
    // Passable for the lab's users, readable for nobody else.
    await chmod(directory, 0o711);
    await mkdir(join(directory, '.top'), { mode: 0o700 });
    await this.#save();
    const built = await buildLab({
      directory,
      topology: this.topology,
      isDetached,
      nodes: [...this.#nodes.values()],
      signal,
      progress,
      started: async ({ launcher, init, areUsersMapped }) => {
        this.#record.launcher = launcher;
        this.#record.init = init;
        this.#record.areUsersMapped = areUsersMapped;
        this.#record.limits = await limitsOf(areUsersMapped);
        await this.#save();
      },
    });
    this.#record.torrc = built.torrc;
    for (const entry of Object.values(this.#record.nodes)) entry.boots += 1;
    await this.#save();
  }

  async boot(name: string, signal: AbortSignal): Promise<void> {
    const held = this.#nodes.get(this.node(name).name);
    const init = this.#record.init;
    if (held === undefined || init === undefined || held.node.hasPower) return;
    const boot = this.#record.nodes[name]?.boots ?? 1;
    await startNodes({
      directory: this.directory,
      topology: this.topology,
      init: init.pid,
      nodes: [held],
      boot,
      torState: undefined,
      signal,
      progress: () => undefined,
    });
    this.#record.nodes[name] = { boots: boot + 1 };
    await this.#save();
  }

  async stop(): Promise<void> {
    // Not the caller's signal: that one may be why we stop.
    const signal = AbortSignal.timeout(30_000);
    await endProcesses([this.#record.init, this.#record.launcher], signal);
    await removeFolder(this.directory, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #unplug(name: string): Promise<void> {
    const { init, nodes, topology } = this.#record;
    if (init !== undefined) {
      const lastBoot = (nodes[name]?.boots ?? 1) - 1;
      const signal = AbortSignal.timeout(10_000);
      await unplug(topology, name, lastBoot, { enter: labNetwork(init.pid), signal });
    }
    await this.#save();
  }

  async #save(): Promise<void> {
    for (const { state } of this.#nodes.values()) {
      const boots = this.#record.nodes[state.name]?.boots ?? 0;
      this.#record.nodes[state.name] = {
        boots,
        ...(state.holder === undefined ? {} : { holder: state.holder }),
      };
    }
    await writeRecord(this.directory, this.#record);
  }
}

async function limitsOf(areUsersMapped: boolean): Promise<string[]> {
  const limits: string[] = [];
  if (!areUsersMapped) {
    limits.push(
      'programs in this lab cannot change user (setpriv, tor and the helper need to): give your user 65,535 ids of its own ' +
        'in /etc/subuid and /etc/subgid and install newuidmap (Debian: apt-get install uidmap), or start the lab as root',
    );
  }
  const tun = tunDevice();
  const isUsable = await access(tun, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isUsable) {
    limits.push(
      `${tun} cannot be opened by this user, so wireguard-go does not run in this lab: as root, chmod 666 ${tun}, ` +
        'or make another device node (mknod -m 666 FILE c 10 200) and set GATEWAY_LAB_TUN to it',
    );
  }
  return limits;
}
