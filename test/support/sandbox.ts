import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { environmentOutside } from '../../src/lab/places.ts';
import { run, type Argv, type Ran } from '../../src/system/run.ts';

/**
 * A machine of its own for one test file: user, network, mount and process namespaces, a private /run. Its first process
 * reads a pipe that we hold, so when we end, however, the pipe closes, it ends, and the kernel ends everything inside.
 */
export class Sandbox {
  /** A directory that both sides see. */
  readonly root: string;
  readonly #holder: ChildProcess;
  readonly #pid: number;
  readonly #signal = AbortSignal.timeout(300_000);

  private constructor(root: string, holder: ChildProcess, pid: number) {
    this.root = root;
    this.#holder = holder;
    this.#pid = pid;
  }

  static async open(): Promise<Sandbox> {
    const root = await mkdtemp(join(tmpdir(), 'gwt-'));
    const own = [
      '--user',
      '--map-root-user',
      '--net',
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
    ];
    const holder = spawn('unshare', [...own, 'cat'], {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true,
    });
    const sandbox = new Sandbox(root, holder, await childOf(holder.pid ?? 0));
    await sandbox.run(['mount', '-t', 'tmpfs', 'tmpfs', '/run']);
    await sandbox.run(['ip', 'link', 'set', 'lo', 'up']);
    return sandbox;
  }

  /** Runs a command as root of the sandbox, in the network that stands for the host. */
  run(
    argv: Argv,
    options: { readonly input?: string; readonly accept?: readonly number[] } = {},
  ): Promise<Ran> {
    return run(this.#enter(argv), {
      signal: this.#signal,
      env: environmentOutside(),
      timeoutMs: 60_000,
      ...options,
    });
  }

  /** Runs a command in one of its named network namespaces. */
  runIn(netns: string, argv: Argv, options: { readonly accept?: readonly number[] } = {}): Promise<Ran> {
    return this.run(['nsenter', `--net=/run/netns/${netns}`, '--', ...argv], options);
  }

  /** Starts a program; its output can be read. It ends with the sandbox. */
  start(argv: Argv): ChildProcess {
    const [program, ...rest] = this.#enter(argv);
    return spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'], env: environmentOutside() });
  }

  async close(): Promise<void> {
    const ended = once(this.#holder, 'exit');
    this.#holder.stdin?.end();
    await ended;
    await rm(this.root, { recursive: true, force: true });
  }

  #enter(argv: Argv): Argv {
    const own = ['--user', '--preserve-credentials', '--net', '--mount', '--pid'];
    return ['nsenter', '--target', `${this.#pid}`, ...own, '--', ...argv];
  }
}

/** unshare's child: the first process inside, once it is what it shall be. */
async function childOf(pid: number): Promise<number> {
  for (;;) {
    const child = Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim());
    if (child > 0 && (await readFile(`/proc/${child}/comm`, 'utf8')) === 'cat\n') return child;
    await sleep(5);
  }
}
