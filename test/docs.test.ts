import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { providers } from '../providers/index.ts';
import { commands } from '../src/cli/commands.ts';
import { parseCommandLine } from '../src/cli/parse.ts';
import { formatProblems, parseConfig } from '../src/core/config.ts';

const root = resolve(import.meta.dirname, '..');
const markdown = (folder: string): string[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
const files = [
  'README.md',
  ...['docs', 'docs/decisions', 'docs/reference', 'providers/tor', 'providers/wireguard'].flatMap(markdown),
];
const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');
const blocksOf = (file: string, language: string): string[] =>
  [...textOf(file).matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] ?? '',
  );

it('every configuration that a document shows is valid', () => {
  const shown = files.flatMap((file) =>
    blocksOf(file, 'yaml')
      .filter((block) => /^services:/m.test(block))
      .map((block) => ({ file, block })),
  );
  expect(shown.length).toBeGreaterThanOrEqual(3);
  for (const { file, block } of shown) {
    const { problems } = parseConfig(block, providers);
    expect(problems === undefined ? '' : formatProblems(file, problems)).toBe('');
  }
});

it('every command that a document shows is one', () => {
  const shown = files.flatMap((file) =>
    blocksOf(file, 'sh').flatMap((block) =>
      block
        .split('\n')
        .map((line) => line.replace(/\s+#.*$/, '').trim())
        .filter((line) => /^(bin\/)?gateway /.test(line))
        .map((line) => ({ file, words: line.split(/\s+/).slice(1) })),
    ),
  );
  expect(shown.length).toBeGreaterThanOrEqual(8);
  for (const { words } of shown) expect(() => parseCommandLine(words, commands)).not.toThrow();
});

it('every link inside leads somewhere', () => {
  const broken = files.flatMap((file) =>
    [...textOf(file).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !existsSync(resolve(root, dirname(file), link)))
      .map((link) => `${file} → ${link}`),
  );
  expect(broken).toEqual([]);
});
