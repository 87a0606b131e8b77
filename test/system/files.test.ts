import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFileIfExists, writeFileAtomic } from '../../src/system/files.ts';
import { startMachine } from '../support/machine.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gateway-files-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it('replaces the content and sets the exact mode', async () => {
  const path = join(directory, 'key');
  await writeFile(path, 'old');
  await chmod(path, 0o644);
  await writeFileAtomic(path, 'new', { mode: 0o600 });
  expect(await readFile(path, 'utf8')).toBe('new');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(['key']);
});

it('lets parallel writers end with one whole content', async () => {
  const path = join(directory, 'state');
  const contents = Array.from({ length: 8 }, (_, index) => String(index).repeat(200_000));
  await Promise.all(contents.map((content) => writeFileAtomic(path, content, { mode: 0o600 })));
  expect(contents).toContain(await readFile(path, 'utf8'));
  expect(await readdir(directory)).toEqual(['state']);
});

it('reads nothing where there is nothing', async () => {
  expect(await readFileIfExists(join(directory, 'absent'))).toBeUndefined();
});

it('names the file when it cannot be written, and leaves nothing', async () => {
  const path = join(directory, 'taken');
  await mkdir(path);
  await expect(writeFileAtomic(path, 'x', { mode: 0o600 })).rejects.toThrow(path);
  expect(await readdir(directory)).toEqual(['taken']);
});

describe('on a disk of its own', () => {
  const MODULE = resolve(import.meta.dirname, '../../src/system/files.ts');
  const NODE = resolve(import.meta.dirname, '../../node_modules/.bin/node');
  const WRITE = `
    import { writeFileAtomic } from '${MODULE}';
    import { readFileSync, readdirSync } from 'node:fs';
    const outcome = await writeFileAtomic('/mnt/state', 'n'.repeat(300_000), { mode: 0o600 }).then(() => 'written', (error) => error.code);
    console.log(outcome, readFileSync('/mnt/state', 'utf8'), readdirSync('/mnt').join());
  `;

  it.each([
    ['full', 'size=64k', 'DiskFull'],
    ['read-only', 'ro', 'DiskFailed'],
  ])('keeps the old file when the disk is %s', async (_what, option, code) => {
    const machine = await startMachine();
    try {
      await machine.sh('mount', '-t', 'tmpfs', ...(option === 'ro' ? [] : ['-o', option]), 'disk', '/mnt');
      await machine.sh('sh', '-c', 'printf old > /mnt/state');
      if (option === 'ro') await machine.sh('mount', '-o', 'remount,bind,ro', '/mnt');
      expect(await machine.sh(NODE, '--input-type=module', '-e', WRITE)).toBe(`${code} old state`);
    } finally {
      await machine.stop();
    }
  });
});
