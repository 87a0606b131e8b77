import { describe, expect, test } from 'vitest';
import { providers } from '../../providers/index.ts';
import { PROVIDER_IDS } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands.ts';
import { runCli } from '../support/cli-gateway.ts';

describe('help', () => {
  test.each(commands.map(({ name }) => name))(
    'gateway %s --help explains every argument and option',
    async (name) => {
      const command = commands.find((candidate) => candidate.name === name);
      const { exitCode, stdout, stderr } = await runCli(...name.split(' '), '--help');
      expect([exitCode, stderr]).toEqual([0, '']);
      for (const option of command?.options ?? []) expect(stdout).toContain(`--${option.name}`);
      for (const argument of command?.arguments ?? []) expect(stdout).toContain(`  ${argument.name}`);
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
      expect(await runCli('help', ...name.split(' '))).toEqual({ exitCode, stdout, stderr });
    },
  );

  test('the overview lists every command but the hidden ones', async () => {
    const { stdout } = await runCli('--help');
    for (const { name, isHidden } of commands) {
      expect(stdout.includes(`\n  ${name} `), name).toBe(isHidden !== true);
    }
  });

  test('a group alone lists its commands, as a usage error', async () => {
    const { exitCode, stderr } = await runCli('service');
    expect(exitCode).toBe(64);
    expect(stderr).toContain('service add');
  });

  test('nothing at all is a usage error with the overview', async () => {
    const { exitCode, stderr } = await runCli();
    expect(exitCode).toBe(64);
    expect(stderr).toContain('Commands:');
  });
});

test('the providers that completion offers are those that exist', () => {
  expect([...PROVIDER_IDS].sort()).toEqual(providers.map(({ id }) => id).sort());
});
