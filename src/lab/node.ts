import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import { detach, run, type Argv, type DetachOptions, type Ran, type RunOptions } from '../system/run.ts';
import { environmentOutside, PATH_INSIDE, TOOLS_INSIDE } from './places.ts';
import { childrenByParent, identify, isAlive, killNow, type ProcessId } from './processes.ts';
import { NODE } from './scripts.ts';
import { exists, waitFor } from './waiting.ts';

/** One machine of the lab. */
export interface LabNode {
  readonly name: string;
  /** Process 1 of the node, as this machine counts it. Throws `LabFailed` while the node has no power. */
  readonly pid: number;
  /** A folder for the node's files: same path inside and outside, and it outlives a power cut. */
  readonly directory: string;
  readonly hasPower: boolean;
  /** The vector that runs `command` inside, as the node's root, with the node's PATH and a clean environment. */
  argv(command: Argv, env?: Readonly<Record<string, string>>): Argv;
  /** `run` of src/system/run.ts, inside. When it is cut short, the program inside ends too. */
  run(command: Argv, options: RunOptions): Promise<Ran>;
  /** Starts a program inside in a session of its own. Resolves with its pid, as this machine counts it. */
  detach(command: Argv, options: DetachOptions): Promise<number>;
  /** Power cut: every process of the node dies at once, its interfaces vanish; its files stay. */
  cut(): Promise<void>;
}

const ENTER = ['--user', '--preserve-credentials'] as const;

/** Enters the lab itself: its network is the one with the switches. */
export function enterLab(init: number, kinds: readonly string[], command: readonly string[]): Argv {
  return ['nsenter', '--target', `${init}`, ...ENTER, ...kinds, '--', ...command];
}

export function enterNode(holder: number, command: Argv, env: Readonly<Record<string, string>>): Argv {
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const kinds = ['--mount', '--net', '--pid', '--uts'];
  // Without the leash, a program whose nsenter was killed would run on.
  const leash = ['setpriv', '--pdeathsig', 'KILL', '--'];
  return [
    'nsenter',
    '--target',
    `${holder}`,
    ...ENTER,
    ...kinds,
    '--',
    ...leash,
    'env',
    '-i',
    ...assignments,
    ...command,
  ];
}

/** Environment of every program inside. */
export function environmentInside(directory: string): Record<string, string> {
  return {
    PATH: PATH_INSIDE,
    HOME: directory,
    LANG: 'C.UTF-8',
    TERM: process.env['TERM'] ?? 'dumb',
    GATEWAY_TOOLS: TOOLS_INSIDE,
  };
}

export interface HolderOptions {
  readonly init: number;
  readonly name: string;
  readonly hidden: string;
  readonly signal: AbortSignal;
}

/** Starts process 1 of a node and resolves once its files are mounted. */
export async function startHolder({ init, name, hidden, signal }: HolderOptions): Promise<ProcessId> {
  const ready = join(hidden, 'ready');
  const logFile = join(hidden, 'holder.log');
  await rm(ready, { force: true });
  const unshare = ['unshare', '--net', '--mount', '--pid', '--uts', '--fork', '--kill-child', '--mount-proc'];
  const command = [...unshare, 'dash', '-c', NODE, `lab-node-${name}`, name, hidden];
  const entering = await detach(enterLab(init, ['--mount', '--net', '--pid'], command), {
    logFile,
    env: environmentOutside(),
  });
  await waitFor(() => exists(ready), {
    signal,
    timeoutMs: 10_000,
    what: `the node ${name} is up`,
    failed: async () =>
      isRunning(entering) ? undefined : `the node ${name} did not start: ${await readFile(logFile, 'utf8')}`,
  });
  // nsenter, its child unshare, its child: process 1 of the node.
  const children = childrenByParent();
  const unshared = children.get(entering)?.[0];
  const holder = unshared === undefined ? undefined : children.get(unshared)?.[0];
  const found = holder === undefined ? undefined : identify(holder);
  if (found !== undefined) return found;
  throw new GatewayError(`the node ${name} ended at its start: ${await readFile(logFile, 'utf8')}`, {
    code: 'LabFailed',
  });
}

function isRunning(pid: number): boolean {
  const identity = identify(pid);
  return identity !== undefined && isAlive(identity);
}

export interface NodeState {
  readonly name: string;
  readonly directory: string;
  holder: ProcessId | undefined;
}

/** A node as others see it; `state` is changed by the lab when the node gets power again. */
export class HeldNode implements LabNode {
  readonly #state: NodeState;
  readonly #changed: () => Promise<void>;

  /** `changed` is told after a power cut. */
  constructor(state: NodeState, changed: () => Promise<void>) {
    this.#state = state;
    this.#changed = changed;
  }

  get name(): string {
    return this.#state.name;
  }

  get directory(): string {
    return this.#state.directory;
  }

  get hasPower(): boolean {
    return this.#state.holder !== undefined && isAlive(this.#state.holder);
  }

  get pid(): number {
    const holder = this.#state.holder;
    if (holder !== undefined && isAlive(holder)) return holder.pid;
    throw new GatewayError(`the node ${this.name} has no power`, {
      code: 'LabFailed',
      hint: 'its power was cut, or the lab has ended (gateway lab list)',
    });
  }

  argv(command: Argv, env: Readonly<Record<string, string>> = {}): Argv {
    return enterNode(this.pid, command, { ...environmentInside(this.directory), ...env });
  }

  run(command: Argv, options: RunOptions): Promise<Ran> {
    const { env, ...rest } = options;
    return run(this.argv(command, definedOf(env)), { ...rest, env: environmentOutside() });
  }

  async detach(command: Argv, options: DetachOptions): Promise<number> {
    await mkdir(this.directory, { recursive: true });
    const { env, ...rest } = options;
    const entering = await detach(this.argv(command, definedOf(env)), { ...rest, env: environmentOutside() });
    return await waitFor(() => childrenByParent().get(entering)?.[0], {
      signal: AbortSignal.timeout(5000),
      timeoutMs: 5000,
      what: `${command[0]} starts in ${this.name}`,
      failed: async () =>
        isRunning(entering)
          ? undefined
          : `${command[0]} ended at once: ${await readFile(options.logFile, 'utf8')}`,
      intervalMs: 1,
    });
  }

  async cut(): Promise<void> {
    const holder = this.#state.holder;
    if (holder === undefined) return;
    killNow(holder);
    await waitFor(() => (isAlive(holder) ? undefined : true), {
      signal: AbortSignal.timeout(10_000),
      timeoutMs: 10_000,
      what: `the node ${this.name} is dead`,
      intervalMs: 1,
    });
    this.#state.holder = undefined;
    await this.#changed();
  }
}

function definedOf(env: NodeJS.ProcessEnv | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
