import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const STATIC = /^(?:import|export)(?! type)[^;]*? from '([^']+)';/gm;

/** Everything that each command loads, whichever it is, and who loads it. */
function loadedAtOnce(): Map<string, string> {
  const loaded = new Map([[MAIN, '']]);
  for (const [file] of loaded) {
    if (!file.startsWith('/')) continue;
    for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(STATIC)) {
      const found = name.startsWith('.') ? resolve(dirname(file), name) : name;
      if (!loaded.has(found)) loaded.set(found, file);
    }
  }
  return loaded;
}

it('loads no package and no network before it knows the command: each costs every command its time', () => {
  const loaded = loadedAtOnce();
  expect(loaded.size).toBeGreaterThan(40);
  const cheap = /^(\/|node:(fs|fs\/promises|path|timers\/promises|util)$)/;
  expect([...loaded].filter(([name]) => !cheap.test(name))).toEqual([]);
});
