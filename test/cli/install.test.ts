import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { manualPage } from '../../src/cli/install/manual.ts';
import { runCli } from '../support/cli-gateway.ts';

/** With systemd and users it is tested in a virtual machine: test/kernel. Here: what is written, and that all of it goes. */
let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'gw-install-'));
});
afterEach(() => rmSync(top, { recursive: true }));

const listed = (): string[] =>
  readdirSync(top, { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.includes('/node_modules/') && !path.includes('/dist/'))
    .sort();

test('writes a program that runs, units, completion and manual; and removes all of it', async () => {
  for (const folder of ['opt', 'usr/local/share/man', 'etc/systemd/system']) {
    mkdirSync(join(top, folder), { recursive: true });
  }
  const before = listed();
  const dry = await runCli('install', '--destdir', top, '--dry-run');
  expect(dry).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('would write /etc/systemd/system/gateway.service'),
  });
  expect(listed()).toEqual(before);

  expect((await runCli('install', '--destdir', top)).exitCode).toBe(0);
  const current = readlinkSync(join(top, 'opt/gateway/current'));
  expect(current).toMatch(/^versions\/0\.\d+\.\d+-[0-9a-f]{8}$/);
  const program = join(top, 'opt/gateway', current, 'bin/gateway');
  expect(execFileSync(program, ['version'], { encoding: 'utf8' })).toMatch(/^gateway .* \(Node v?24/);
  expect(readdirSync(join(top, 'opt/gateway', current)).sort()).toEqual([
    'bin',
    'dist',
    'node_modules',
    'package.json',
  ]);
  expect(readdirSync(join(top, 'opt/gateway', current, 'node_modules'))).not.toContain('vitest');
  const unit = readFileSync(join(top, 'etc/systemd/system/gateway.service'), 'utf8');
  expect(unit).toContain('ExecStart=/opt/gateway/current/bin/gateway daemon\n');
  expect(statSync(join(top, 'usr/local/share/man/man1/gateway.1')).mode & 0o777).toBe(0o644);

  const after = listed();
  const again = await runCli('install', '--destdir', top, '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({ done: [] });
  expect(listed()).toEqual(after);

  expect((await runCli('uninstall', '--destdir', top)).exitCode).toBe(0);
  expect(listed()).toEqual(before);
  expect((await runCli('uninstall', '--destdir', top)).exitCode).toBe(1);
}, 60_000);

test('writes the unit of a relay, with the options that were typed', async () => {
  const options = ['--listen', '11.1.0.2:7443', '--tls-port', '8443', '--else', '127.0.0.1:9443'];
  const typo = await runCli('relay', 'install', '--destdir', top, '--public', 'a b');
  expect(typo).toMatchObject({ exitCode: 64, stderr: expect.stringContaining('--public is "a b"') });
  expect(listed()).toEqual([]);
  expect((await runCli('relay', 'install', '--destdir', top, ...options)).exitCode).toBe(0);
  const unit = readFileSync(join(top, 'etc/systemd/system/gateway-relay.service'), 'utf8');
  expect(unit).toContain(`ExecStart=/opt/gateway/current/bin/gateway relay up ${options.join(' ')}\n`);
  expect((await runCli('uninstall', '--destdir', top)).exitCode).toBe(0);
  expect(listed().filter((path) => path.endsWith('.service'))).toEqual([]);
}, 60_000);

/** man(7): a line that begins with a dot is a request; an unknown one loses its text. */
test('the manual says every command, and no line is taken for a request by mistake', () => {
  const page = manualPage(commands, '1');
  const requests = new Set(page.split('\n').flatMap((line) => /^['.](\S*)/.exec(line)?.[1] ?? []));
  expect([...requests].sort()).toEqual(['B', 'I', 'PP', 'SH', 'SS', 'TH', 'TP', 'ad', 'fi', 'nf', 'nh']);
  // A viewer that is told no encoding garbles the rest.
  expect(page).toMatch(/^[\n -~]+$/);
  for (const { name, isHidden } of commands) {
    if (isHidden !== true) expect(page).toContain(`.B gateway ${name.replaceAll('-', '\\-')}`);
  }
});
