import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshReadme, referenceFiles } from '../docs/generate.ts';

const DIRECTORY = join(import.meta.dirname, '../docs/reference');

test('docs/reference is what the source says (npm run docs)', () => {
  const files = referenceFiles();
  expect(readdirSync(DIRECTORY).sort()).toEqual([...files.keys()].sort());
  for (const [name, text] of files) expect(readFileSync(join(DIRECTORY, name), 'utf8'), name).toBe(text);
});

test('README.md shows the providers as they are (npm run docs)', async () => {
  expect(await freshReadme()).toBe(readFileSync(join(DIRECTORY, '../../README.md'), 'utf8'));
});
