import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { completionScript, SHELLS } from '../../src/cli/completion.ts';
import { commands } from '../../src/cli/commands.ts';
import { runCli } from '../support/cli-gateway.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'gw-completion-'));
  // Answers what Tab would ask a running gateway for, and shows what it was asked.
  writeFileSync(
    join(directory, 'gateway'),
    '#!/bin/sh\n[ "$*" = "completion --names services" ] && printf "shop\\nnas\\n"\n',
    {
      mode: 0o755,
    },
  );
  writeFileSync(join(directory, 'script'), completionScript('bash', commands));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What bash offers for a line; the last word is the one that is being typed. */
function complete(...words: string[]): string[] {
  const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gateway; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync(
    'bash',
    ['-c', script, 'bash', join(directory, 'script'), join(directory, 'gateway'), ...words],
    { encoding: 'utf8' },
  );
  expect([status, stderr]).toEqual([0, '']);
  return stdout.split('\n').filter((line) => line !== '');
}

describe('completion', () => {
  test.each(SHELLS)('the script for %s names every command', (shell) => {
    const script = completionScript(shell, commands);
    for (const { name, isHidden } of commands) {
      const word = name.split(' ').at(-1) ?? '';
      if (isHidden !== true) expect(script).toContain(word);
    }
  });

  test('bash and zsh accept their scripts', () => {
    for (const shell of ['bash', 'zsh'] as const) {
      const { status, stderr } = spawnSync('bash', ['-n'], { input: completionScript(shell, commands) });
      expect([status, stderr.toString()]).toEqual([0, '']);
    }
  });

  test.each<[string[], string[]]>([
    [['serv'], ['service']],
    [['service', 'a'], ['add']],
    [['--root', '/x', 'une'], ['unexpose']],
    [['service', 'add', 'shop', '--kind', 'bt'], ['btcpay']],
    [['service', 'add', '--no-t'], ['--no-tor']],
    [
      ['expose', ''],
      ['shop', 'nas'],
    ],
    [['expose', 'shop', ''], []],
    [['device', 'add', 'phone', '-s', 'n'], ['nas']],
    [['status', '--js'], ['--json']],
  ])('gateway %j Tab', (words, expected) => {
    expect(complete(...words)).toEqual(expected);
  });

  test('no name in the script for zsh is one that zsh keeps for itself', () => {
    const declared = /local ([^\n]*)/.exec(completionScript('zsh', commands))?.[1] ?? '';
    const names = declared.split(' ').map((word) => word.replace(/=.*/, ''));
    for (const taken of ['path', 'status', 'options', 'argv', 'prompt']) {
      expect(names).not.toContain(taken);
    }
  });

  const hasFish = spawnSync('fish', ['--version']).status === 0;
  test.skipIf(!hasFish).each<[string, string[]]>([
    ['gateway serv', ['service']],
    ['gateway --root /x une', ['unexpose']],
    ['gateway service add shop --kind bt', ['btcpay']],
    ['gateway expose ', ['nas', 'shop']],
    ['gateway expose shop ', []],
    ['gateway device add phone -s n', ['nas']],
  ])('fish: %j Tab', (line, expected) => {
    writeFileSync(join(directory, 'gateway.fish'), completionScript('fish', commands));
    const script = `source ${directory}/gateway.fish; complete -C ${JSON.stringify(line)}`;
    const env = { PATH: `${directory}:${process.env['PATH']}`, HOME: directory };
    const { stdout, status } = spawnSync('fish', ['-c', script], { encoding: 'utf8', env });
    expect(status).toBe(0);
    const offered = stdout.split('\n').filter((found) => found !== '');
    expect(offered.map((found) => found.split('\t')[0])).toEqual(expected);
  });

  test('without a gateway there are no names, and no error', async () => {
    expect(await runCli('--root', '/nonexistent', 'completion', '--names', 'services')).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: '',
    });
  });
});
