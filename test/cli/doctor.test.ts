import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cli } from '../../src/cli/cli.ts';
import { CHECK_NAMES } from '../../src/cli/commands/doctor.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { CHECKS } from '../../src/doctor/checks.ts';

async function type(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const terminal: Terminal = {
    print: (text) => void out.push(text),
    note: (text) => void err.push(text),
    hasColour: false,
    columns: 80,
  };
  const code = await cli(['doctor', ...words], terminal);
  return { code, out: out.join('\n'), err: err.join('\n') };
}

it('completes the checks that there are', () => {
  expect(CHECK_NAMES).toEqual(CHECKS.map(({ name }) => name));
});

it('lists its checks', async () => {
  expect((await type('--list-checks', '--lang', 'en')).out).toMatch(
    /^gateway +Gateway\n(.*\n)*routes +Way out\n/,
  );
  expect((await type('--list-checks', '--lang', 'es')).out).toMatch(/\nclock +Reloj\n/);
});

it.each([
  [['clok'], 'did you mean clock?'],
  [['--lang', 'fr'], '--lang is "fr", expected one of en, es'],
])('refuses %o', async (words, said) => {
  const { code, err } = await type(...words);
  expect(code).toBe(64);
  expect(err).toContain(said);
});

it('looks at the disk of a machine without a gateway, and asks nobody', async () => {
  const root = await mkdtemp(join(tmpdir(), 'doctor-'));
  const { code, out } = await type('gateway', 'disk', '--root', root, '--offline', '--lang', 'en');
  expect(out).toContain('[✓] Gateway  none is set up on this machine');
  expect(out).toMatch(/\[✓\] Disk +\d+ [MG]iB free in /);
  expect(code).toBe(0);
});

it('looks again and again until Ctrl-C, and then says what it saw last', async () => {
  const root = await mkdtemp(join(tmpdir(), 'doctor-'));
  const program = join(import.meta.dirname, '../../src/cli/main.ts');
  const words = ['doctor', 'disk', '--watch', '--offline', '--lang', 'en', '--root', root];
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGINT');
  const [code] = (await once(child, 'exit')) as [number];
  expect(first.toString()).toContain('[✓] Disk');
  expect(code).toBe(0);
}, 20_000);
