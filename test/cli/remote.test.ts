import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../support/cli-gateway.ts';
import { remoteOf, sshArguments } from '../../src/cli/remote.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gw-ssh-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Stands for ssh and sshd: gives its last word to a login shell, which finds a gateway that says what it was told. */
function onPath(exitCode: number): NodeJS.ProcessEnv {
  const files = {
    ssh: `#!/bin/sh\nprintf '%s\\n' "$@" >${directory}/ssh\nfor last; do :; done\nexec sh -c "$last"\n`,
    gateway: `#!/bin/sh\nfor word; do printf '<%s>' "$word"; done\nexit ${exitCode}\n`,
  };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(directory, name), text);
    chmodSync(join(directory, name), 0o755);
  }
  return { PATH: `${directory}:${process.env['PATH'] ?? ''}` };
}

test('every word arrives as it was typed, whatever is in it; the exit code comes back', () => {
  const words = ['service', 'add', "it's; $(reboot) `x`", '--', '', 'a\nb', '*'];
  const argv = [MAIN, '-H', 'ssh://me@box:2222', ...words];
  const ran = spawnSync(process.execPath, argv, { env: onPath(3), encoding: 'utf8' });
  expect([ran.status, ran.stdout]).toEqual([3, words.map((word) => `<${word}>`).join('')]);
  const [tty, dashes, destination] = readFileSync(join(directory, 'ssh'), 'utf8').split('\n');
  expect([tty, dashes, destination]).toEqual(['-T', '--', 'ssh://me@box:2222']);
});

test.each([
  '-oProxyCommand=reboot',
  'ssh://-oProxyCommand=x',
  'ssh://box;reboot',
  'http://box',
  'ssh://',
  'box/path',
])('a machine named %s is refused before ssh sees it', (name) => {
  expect(() => remoteOf([`--host=${name}`, 'status'])).toThrow(/expected ssh:|needs the other/);
  expect(() => remoteOf(['-H', name, 'status'])).toThrow(/expected ssh:/);
});

test('behind the command it is refused, because the command would run here', async () => {
  for (const line of ['status -H ssh://box', '--json --host ssh://box status']) {
    expect(await runCli(...line.split(' '))).toMatchObject({
      exitCode: 64,
      stderr: expect.stringContaining('before everything else'),
    });
  }
});

test('a terminal is passed on, an IPv6 address and a bare name are fine', () => {
  const remote = remoteOf(['-H', 'box', 'status']);
  expect(remote === undefined ? [] : sshArguments(remote, true)).toEqual([
    'ssh',
    '-t',
    '--',
    'ssh://box',
    'gateway status',
  ]);
  expect(remoteOf(['--host=ssh://[fd00::1]:22/', 'qr', 'shop'])).toEqual({
    destination: 'ssh://[fd00::1]:22',
    words: ['qr', 'shop'],
  });
  expect(remoteOf(['status', '-H', 'box'])).toBeUndefined();
});
