import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Argv, run } from '../../src/system/run.ts';
import { keepWhatItTells } from './told.ts';

/**
 * A machine of its own for a test: fresh network, mount and process namespaces, its own /run and /etc. The real one is
 * never touched, and all of it vanishes with its first process, which ends when this process does, however that ends.
 */
export interface Machine {
  /** Path outside of a path inside. */
  outside(path: string): string;
  /** Runs to the end and resolves with its output, trimmed; rejects when it fails. */
  sh(...argv: Argv): Promise<string>;
  /** Keeps running until the machine stops. */
  start(...argv: Argv): ChildProcess;
  stop(): Promise<void>;
}

const UID = process.getuid?.() ?? 0;
const TOOLS =
  process.env['GATEWAY_TOOLS'] ??
  (UID === 0
    ? '/var/cache/gateway/tools'
    : join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gateway/tools'));
/** A test puts a program of its own in place of the machine's by writing it to /run/bin inside. */
const PATH = `/run/bin:${process.env['PATH']}:/usr/sbin:/sbin:${join(TOOLS, 'bin')}`;
const env = { ...process.env, PATH };

/** In a user namespace there is one user id, and every account has it. */
const setUp = ([gateway, tor, edge]: readonly [string, string, string]): string => `
set -e
mount -t tmpfs run /run
mkdir -p /run/etc/netns /run/lock
echo 'root:x:0:0:root:/root:/bin/sh
gateway:x:${gateway}:${gateway}::/:/bin/false
gateway-tor:x:${tor}:${tor}::/:/bin/false
gateway-edge:x:${edge}:${edge}::/:/bin/false' > /run/etc/passwd
echo 'root:x:0:
gateway:x:${gateway}:
gateway-tor:x:${tor}:gateway
gateway-edge:x:${edge}:' > /run/etc/group
touch /run/etc/hosts /run/etc/resolv.conf /run/etc/nsswitch.conf
mount --bind /run/etc /etc
ip link set lo up
touch /run/ready
exec cat
`;

/** `isUser`: as one who is not root starts it, in a user namespace, where root may less. */
export async function startMachine({ isUser = UID !== 0 } = {}): Promise<Machine> {
  const user = isUser ? ['--user', '--map-root-user'] : [];
  const unshare = [...user, '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const holder = spawn(
    'unshare',
    [...unshare, 'sh', '-c', setUp(isUser ? ['0', '0', '0'] : ['970', '971', '972'])],
    {
      env,
      stdio: ['pipe', 'ignore', 'inherit'],
    },
  );
  const pid = await firstProcessOf(holder);
  const enter = [
    '--target',
    String(pid),
    ...(isUser ? ['--user', '--preserve-credentials'] : []),
    '--net',
    '--mount',
    '--pid',
    '--',
  ];
  const outside = (path: string): string => `/proc/${pid}/root${path}`;
  await until(async () => (await exists(outside('/run/ready'))) || undefined);
  return {
    outside,
    sh: async (...argv) => {
      const signal = AbortSignal.timeout(20_000);
      return (await run(['nsenter', ...enter, ...argv], { signal, env })).stdout.trim();
    },
    start: (...argv) => {
      const child = spawn('nsenter', [...enter, ...argv], { env, stdio: ['ignore', 'pipe', 'pipe'] });
      keepWhatItTells(child);
      return child;
    },
    stop: async () => {
      const ended = once(holder, 'exit');
      holder.stdin?.end();
      await ended;
    },
  };
}

async function firstProcessOf(holder: ChildProcess): Promise<number> {
  return until(async () => {
    const children = await readFile(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8');
    return children.trim() === '' ? undefined : Number(children.trim().split(' ')[0]);
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Asks until there is an answer; 10 seconds at most. */
export async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await sleep(20);
  }
  throw new Error('it did not happen within 10 seconds');
}
