import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { directoriesIn, pathsOf } from '../../src/system/directories.ts';
import { openStore } from '../../src/system/store/index.ts';
import { runCli } from '../support/cli-gateway.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
let top: string;
let file: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'gw-backup-'));
  file = join(top, 'file.backup');
  const directories = directoriesIn(join(top, 'home'));
  for (const directory of Object.values(directories)) mkdirSync(directory, { recursive: true });
  const { database, snapshot, configFile } = pathsOf(directories);
  openStore({ database, snapshot }).close();
  writeFileSync(configFile, 'services: {}\n');
});
afterEach(() => rmSync(top, { recursive: true }));

const backup = (...words: string[]) => runCli('--root', join(top, 'home'), 'backup', file, ...words);

test('a passphrase that is made is shown once, and opens the file', async () => {
  const made = await backup('--generate', '--json');
  expect(made.exitCode).toBe(0);
  const { passphrase } = JSON.parse(made.stdout) as { passphrase: string };
  expect(passphrase).toMatch(/^([2-9a-z]{5}-){4}[2-9a-z]{5}$/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const { unseal } = await import('../../src/system/backup/seal.ts');
  const content = Buffer.from(await unseal(readFileSync(file), passphrase, file)).toString();
  expect(content).toContain('gateway.yaml');
});

test('a passphrase that anybody could guess is refused, and no file is left', async () => {
  const weak = join(top, 'weak');
  writeFileSync(weak, 'secret\n');
  expect(await backup('--passphrase-file', weak)).toMatchObject({
    exitCode: 64,
    stderr: expect.stringContaining('at least 12'),
  });
  expect(() => statSync(file)).toThrow(/ENOENT/);
});

/** util-linux's script(1) is the terminal. */
test('asks twice at a terminal, and shows nothing of what is typed', async () => {
  const command = `${process.execPath} ${MAIN} --root ${join(top, 'home')} backup ${file}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let seen = '';
  const answers = new Map([
    ['Passphrase for the backup: ', 'zebra zebra zebrx\u007fa\r'],
    ['The same again: ', 'zebra zebra zebra\r'],
  ]);
  child.stdout.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
    for (const [question, answer] of answers) {
      if (!seen.includes(question)) continue;
      answers.delete(question);
      child.stdin.write(answer);
    }
  });
  const exitCode = await new Promise((resolve) => child.on('close', resolve));
  expect({ exitCode, seen }).toEqual({ exitCode: 0, seen: expect.stringContaining('Written') });
  expect(seen).not.toContain('zebra');
}, 20_000);
