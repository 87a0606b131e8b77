import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startLab, type Lab } from '../../src/lab/index.ts';
import { outputOf } from '../support/lab.ts';

let lab: Lab;
const signal = AbortSignal.timeout(90_000);

beforeAll(async () => {
  lab = await startLab('demo', { signal });
});
afterAll(() => lab.stop());

it('resolves names everywhere, and only its own', async () => {
  for (const node of ['home', 'phone', 'visitor', 'vps']) {
    expect(await outputOf(lab, node, ['getent', 'hosts', 'home.lab.test']), node).toMatch(/^11\.2\.0\.2\s/);
  }
  const foreign = await lab
    .node('visitor')
    .run(['getent', 'hosts', 'example.com'], { signal, accept: [0, 2] });
  expect(foreign.stdout).toBe('');
});

it('shows a page on the clear web, which sees the address of the carrier, not of the phone', async () => {
  expect(await outputOf(lab, 'phone', ['curl', '-sS', 'http://web.lab.test/'])).toContain(
    'you are 11.3.0.2 at /',
  );
});

it("lets a visitor's Tor client bootstrap and fetch the page through the exit", async () => {
  const visitor = lab.node('visitor');
  const folder = join(visitor.directory, 'client');
  await mkdir(folder, { mode: 0o700 });
  const torrc = join(folder, 'torrc');
  const lines = [`DataDirectory ${folder}`, 'SocksPort 9050', `Log notice file ${folder}/log`];
  await writeFile(torrc, `${lines.join('\n')}\n${lab.torrc}`);
  await writeFile(join(folder, 'defaults'), '');
  await visitor.detach(['tor', '-f', torrc, '--defaults-torrc', join(folder, 'defaults'), '--quiet'], {
    logFile: join(folder, 'out'),
  });
  await expect
    .poll(() => readFile(join(folder, 'log'), 'utf8').catch(String), { timeout: 15_000 })
    .toContain('(done)');
  const socks = ['--socks5-hostname', '127.0.0.1:9050'];
  const page = await outputOf(lab, 'visitor', [
    'curl',
    '-sS',
    '--max-time',
    '15',
    ...socks,
    'http://web.lab.test/',
  ]);
  expect(page).toContain('you are 11.9.0.14 at /');
});

it('runs programs as other users, or says why it cannot', async ({ skip }) => {
  if (!lab.usersMapped) skip(lab.limits.join('; '));
  const who = ['setpriv', '--reuid', 'gateway', '--regid', 'gateway', '--init-groups', 'id', '-Gn'] as const;
  expect(await outputOf(lab, 'home', who)).toBe('gateway gateway-tor');
});
