import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readlinkSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { errnoOf } from '../../src/core/errors.ts';
import { childrenByParent, identify, isAlive, type ProcessId } from '../../src/lab/processes.ts';
import { startLab } from '../../src/lab/index.ts';
import { outputOf, withLab } from '../support/lab.ts';

const OWNER = fileURLToPath(new URL('../support/lab-owner-main.ts', import.meta.url));
const owners: ChildProcess[] = [];
afterEach(() => {
  for (const owner of owners.splice(0)) owner.kill('SIGKILL');
});

interface Owned {
  readonly owner: ChildProcess;
  readonly directory: string;
  readonly pids: readonly number[];
}

/** A lab that belongs to another process. */
async function ownedElsewhere(): Promise<Owned> {
  const owner = spawn(process.execPath, [OWNER, 'pair'], { stdio: ['ignore', 'pipe', 'inherit'] });
  owners.push(owner);
  const [line] = (await once(createInterface(owner.stdout), 'line')) as [string];
  return { owner, ...(JSON.parse(line) as { directory: string; pids: number[] }) };
}

/** Every process in the user namespace of `pid`: everything of a lab. Numbers of namespaces are used again, so not later. */
function processesWith(pid: number | undefined): ProcessId[] {
  const userNamespace = readlinkSync(`/proc/${pid}/ns/user`);
  return readdirSync('/proc').flatMap((entry) => {
    try {
      if (!/^\d+$/.test(entry) || readlinkSync(`/proc/${entry}/ns/user`) !== userNamespace) return [];
    } catch (error) {
      // Ended while we looked, or a zombie: it has no namespaces any more.
      expect(['ENOENT', 'ESRCH', 'EACCES', 'EPERM']).toContain(errnoOf(error));
      return [];
    }
    return identify(Number(entry)) ?? [];
  });
}

it.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)(
  'leaves nothing when its owner ends by %s',
  async (signal) => {
    const { owner, directory, pids } = await ownedElsewhere();
    const processes = processesWith(pids[0]);
    expect(processes.length).toBeGreaterThan(3);
    owner.kill(signal);
    await expect.poll(() => processes.filter(isAlive), { timeout: 5000 }).toEqual([]);
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(directory);
    // The folder goes at the next start of any lab.
    await withLab('pair', async () => expect(existsSync(directory)).toBe(false));
  },
);

it('ends although a program inside was stopped, and with it the nsenter that waits for it', async () => {
  const { owner, directory, pids } = await ownedElsewhere();
  const [target = 0] = pids;
  const words = ['--user', '--preserve-credentials', '--pid', '--', 'sleep', '600'];
  const entered = spawn('nsenter', ['--target', `${target}`, ...words], { stdio: 'ignore' });
  owners.push(entered);
  const pid = entered.pid ?? 0;
  await expect.poll(() => childrenByParent().get(pid)).toHaveLength(1);
  const [inside = 0] = childrenByParent().get(pid) ?? [];
  await expect.poll(() => readFileSync(`/proc/${inside}/comm`, 'utf8')).toBe('sleep\n');
  process.kill(inside, 'SIGSTOP');
  await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'utf8')).toContain(' T ');
  const ended = once(owner, 'exit');
  owner.kill('SIGKILL');
  await ended;
  await withLab('pair', async () => expect(existsSync(directory)).toBe(false));
});

it('runs two labs side by side, with the same names and addresses, and neither disturbs the other', async () => {
  const { directory, pids } = await ownedElsewhere();
  await withLab('pair', async (lab) => {
    expect(lab.directory).not.toBe(directory);
    expect(existsSync(directory)).toBe(true);
    await lab.node('home').cut();
    for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(true);
    expect(await outputOf(lab, 'outside', ['ping', '-c1', '-W2', '11.2.0.2'])).toContain('1 received');
  });
  expect(existsSync(directory)).toBe(true);
});

it('leaves nothing after a build that fails half way', async () => {
  const before = readdirSync('/tmp').filter((name) => name.startsWith('gwlab-'));
  const stop = new AbortController();
  const building = startLab('pair', {
    signal: stop.signal,
    progress: () => setTimeout(() => stop.abort(), 60),
  });
  await expect(building).rejects.toMatchObject({ code: 'Aborted' });
  const after = readdirSync('/tmp').filter((name) => name.startsWith('gwlab-'));
  expect(after.filter((name) => !before.includes(name))).toEqual([]);
});

it('stops twice without complaint', async () => {
  const lab = await startLab('pair', { signal: AbortSignal.timeout(20_000) });
  const processes = processesWith(lab.node('home').pid);
  await lab.stop();
  await lab.stop();
  expect(processes.filter(isAlive)).toEqual([]);
  expect(existsSync(lab.directory)).toBe(false);
});
