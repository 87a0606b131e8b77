import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cliGateway } from '../support/cli-gateway.ts';
import { status } from '../support/recording-control.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
let gateway: Awaited<ReturnType<typeof cliGateway>>;
beforeEach(async () => {
  gateway = await cliGateway();
});
afterEach(() => gateway.close());

/** The real thing: a process of its own with pipes for stdout and stderr. */
function start(argv: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [MAIN, ...argv], {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
  const ended = new Promise<{ exitCode: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (exitCode) => resolve({ exitCode, ...said })),
  );
  return { child, ended, said };
}

test('the exit code and both streams are as they should be in a pipe, without colours', async () => {
  const { exitCode, stdout, stderr } = await start(['--socket', gateway.socket, 'status']).ended;
  expect([exitCode, stderr]).toEqual([0, '']);
  expect(stdout).toContain('shop');
  expect(stdout).not.toContain('\u001b');
});

test.each(['--version', '-V', 'version'])('%s says which gateway this is', async (asked) => {
  expect(await start([asked]).ended).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^gateway \d+\.\d+\.\d+ \(Node 24\./),
  });
});

test('Ctrl-C ends the waiting, not the work, and says so', async () => {
  const begun = Promise.withResolvers<void>();
  const applied = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  gateway.control.up = async (progress) => {
    progress('begun');
    begun.resolve();
    await release.promise;
    applied.resolve();
    return { changes: [], problems: [], generation: 1, services: 1, failed: [], notices: [] };
  };
  const { child, ended } = start(['--socket', gateway.socket, 'up']);
  await begun.promise;
  child.kill('SIGINT');
  const { exitCode, stderr } = await ended;
  expect(exitCode).toBe(130);
  expect(stderr).toContain('what the gateway has begun goes on');
  release.resolve();
  await applied.promise;
});

test('events --follow prints what happens, until Ctrl-C, which is no failure', async () => {
  const { child, ended, said } = start(['--socket', gateway.socket, 'events', '--follow', '--json']);
  const event = { at: '2026-01-02T03:04:05.678Z', type: 'config.applied', message: 'x', data: {} } as const;
  gateway.world.events = [{ seq: 1, ...event }];
  await expect.poll(() => said.stdout, { timeout: 5000 }).toContain('"seq":1');
  gateway.world.events = [...gateway.world.events, { seq: 2, ...event }];
  await expect.poll(() => said.stdout, { timeout: 5000 }).toContain('"seq":2');
  child.kill('SIGINT');
  expect((await ended).exitCode).toBe(0);
});

test('status --watch shows it again when it changed, and only then, until Ctrl-C', async () => {
  const { child, ended, said } = start(['--socket', gateway.socket, 'status', '--watch']);
  await expect.poll(() => said.stdout, { timeout: 5000 }).toMatch(/^shop +up +tor /m);
  gateway.world.status = status({ notices: ['tor is bootstrapping, 45 %'] });
  await expect.poll(() => said.stdout, { timeout: 5000 }).toContain('! tor is bootstrapping, 45 %');
  child.kill('SIGINT');
  const { exitCode, stdout } = await ended;
  expect([exitCode, stdout.match(/^SERVICE/gm)?.length]).toEqual([0, 2]);
});

test('without a gateway of the machine, the demo of the same user is used, and said', async () => {
  const runtime = join(gateway.directory, 'runtime');
  const record = join(runtime, `gateway-demo-${process.getuid?.() ?? 0}`);
  mkdirSync(record, { recursive: true, mode: 0o700 });
  writeFileSync(
    join(record, 'current.json'),
    JSON.stringify({ socket: gateway.socket, root: gateway.directory, network: 'net:[1]' }),
  );
  const { exitCode, stdout, stderr } = await start(['status'], { XDG_RUNTIME_DIR: runtime }).ended;
  expect([exitCode, stderr]).toEqual([0, '(talking to the demo that runs in another terminal)\n']);
  expect(stdout).toContain('shop');
  // Its home is on another network, of which what is seen here says nothing.
  const doctor = await start(['doctor', 'gateway', '--offline'], { XDG_RUNTIME_DIR: runtime }).ended;
  expect([doctor.stdout.includes('shop'), doctor.stderr.includes('demo')]).toEqual([false, false]);
  expect(doctor.stdout).toContain('none is set up on this machine');
});

test('a demo record that others could have written is not believed', async () => {
  const runtime = join(gateway.directory, 'runtime');
  const record = join(runtime, `gateway-demo-${process.getuid?.() ?? 0}`);
  mkdirSync(record, { recursive: true });
  spawnSync('chmod', ['0777', record]);
  writeFileSync(
    join(record, 'current.json'),
    JSON.stringify({ socket: gateway.socket, root: gateway.directory, network: 'net:[1]' }),
  );
  const { exitCode, stderr } = await start(['status'], { XDG_RUNTIME_DIR: runtime }).ended;
  expect(exitCode).toBe(1);
  expect(stderr).toContain('DaemonUnreachable');
});

const STATIC_IMPORT = /(?:^|\n)(?:import|export) (?!type )[^'"]*?from '([^']+)'|(?:^|\n)import '([^']+)'/g;

/** Every module that is loaded before a command runs. */
function loadedAtStart(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, from, bare] of readFileSync(file, 'utf8').matchAll(STATIC_IMPORT)) {
    const spec = from ?? bare ?? '';
    if (spec.startsWith('.')) loadedAtStart(join(dirname(file), spec), seen);
    else seen.add(spec);
  }
  return seen;
}

test('help starts fast: no package, no network module and no other process of ours is loaded for it', () => {
  const loaded = [...loadedAtStart(MAIN)];
  expect(loaded.length).toBeGreaterThan(20);
  expect(loaded.filter((name) => !name.startsWith('/') && !name.startsWith('node:'))).toEqual([]);
  expect(loaded.filter((name) => /node:(http|net|crypto|sqlite|child_process)/.test(name))).toEqual([]);
  expect(loaded.filter((name) => /src\/(api|daemon|helper|lab|engine)\//.test(name))).toEqual([]);
});
