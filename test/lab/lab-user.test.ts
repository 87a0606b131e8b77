import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { toolsFolder } from '../../src/lab/places.ts';
import { run } from '../../src/system/run.ts';

/** As an ordinary user. When the tests themselves run as one, every other file here is this test. */
const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const OWNER = fileURLToPath(new URL('../support/lab-owner-main.ts', import.meta.url));
const signal = AbortSignal.timeout(60_000);
const asNobody = ['setpriv', '--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups', '--'] as const;

let home: string;
beforeAll(async () => {
  home = await mkdtemp('/tmp/lab-user-');
  await chmod(home, 0o755);
  if (!isRoot) return;
  await chown(home, NOBODY, NOBODY);
  // Machines that let ordinary users use TUN have it at 0666 (udev's rule); here it may be root's alone.
  await run(['mknod', '-m', '666', join(home, 'tun'), 'c', '10', '200'], { signal });
});
afterAll(() => rm(home, { recursive: true }));

async function inLab(topology: string, node: string, ...command: string[]): Promise<Record<string, unknown>> {
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    GATEWAY_TOOLS: toolsFolder(),
    GATEWAY_LAB_TUN: join(home, 'tun'),
  };
  const argv = [...asNobody, process.execPath, OWNER, topology, node, ...command] as const;
  return JSON.parse((await run(argv, { signal, env, timeoutMs: 30_000 })).stdout) as Record<string, unknown>;
}

async function whyNot(): Promise<string | undefined> {
  if (!isRoot) return 'these tests run as an ordinary user already';
  const reads = await run([...asNobody, 'test', '-r', OWNER], { signal, accept: [0, 1] });
  return reads.exitCode === 0
    ? undefined
    : `the user nobody may not read ${OWNER}: the checkout is in a private folder`;
}

it('builds a lab with NAT, and says what it cannot do', async ({ skip }) => {
  const reason = await whyNot();
  if (reason !== undefined) skip(reason);
  const lab = await inLab('pair', 'home', 'ping', '-c1', '-W2', '11.2.0.1');
  expect(lab['output']).toContain('1 received');
  expect(lab['usersMapped']).toBe(false);
  expect(lab['limits']).toEqual([expect.stringContaining('/etc/subuid')]);
});

it('makes TUN interfaces, as wireguard-go does', async ({ skip }) => {
  const reason = await whyNot();
  if (reason !== undefined) skip(reason);
  const lab = await inLab('pair', 'home', 'ip', 'tuntap', 'add', 'dev', 'tun0', 'mode', 'tun');
  expect(lab['output']).toBe('');
});
