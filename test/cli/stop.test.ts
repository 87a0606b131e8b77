import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { explain } from '../../src/cli/failure.ts';
import { readIfThere, stopParts } from '../../src/cli/stop.ts';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gw-stop-'));
  mkdirSync(join(root, 'run'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A process that has the command line of a part and ends at SIGTERM, or by itself after a while. */
function startPart(part: string, lifeMs: number) {
  const child = spawn(process.execPath, ['-e', `setTimeout(() => {}, ${lifeMs})`, part], { stdio: 'ignore' });
  return { pid: child.pid ?? 0, ended: once(child, 'exit') };
}

it('finds a process gone that ends between the opening and the reading of its file', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const file = await open(`/proc/${child.pid}/cmdline`);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  // As opened before: the kernel answers ESRCH, where a new opening would find no file.
  await expect(file.readFile()).rejects.toMatchObject({ code: 'ESRCH' });
  expect(await readIfThere(`/proc/self/fd/${file.fd}`)).toBe('');
  await file.close();
});

it('waits for the daemon, which ends by itself, and ends the helper', async () => {
  const { daemonPid, helperPid } = pathsOf(directoriesIn(root));
  const [daemon, helper] = [startPart('daemon', 400), startPart('helper', 60_000)];
  writeFileSync(daemonPid, `${daemon.pid}\n`);
  writeFileSync(helperPid, `${helper.pid}\n`);
  let isDaemonGone = false;
  void daemon.ended.then(() => (isDaemonGone = true));
  await stopParts(root, AbortSignal.timeout(20_000));
  await helper.ended;
  expect(isDaemonGone).toBe(true);
});

it('ends nobody who has the process id of a part that is long gone', async () => {
  const { helperPid } = pathsOf(directoriesIn(root));
  const other = startPart('another', 60_000);
  writeFileSync(helperPid, `${other.pid}\n`);
  await stopParts(root, AbortSignal.timeout(20_000));
  expect(process.kill(other.pid, 0)).toBe(true);
  process.kill(other.pid, 'SIGKILL');
  await other.ended;
});

it('is no bug when it is interrupted while it waits', async () => {
  const interrupted = await sleep(60_000, undefined, { signal: AbortSignal.timeout(10) }).catch(
    (error: unknown) => error,
  );
  expect(explain(interrupted)).toMatchObject({ exitCode: 130, code: 'Aborted', stack: undefined });
});
