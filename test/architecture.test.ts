import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { providers } from '../providers/index.ts';

const root = resolve(import.meta.dirname, '..');

interface Layer {
  readonly may: readonly string[];
  readonly npm: readonly string[];
  /** `true`: any node module; a list: only these. */
  readonly node: boolean;
}

/** Who may import whom; docs/architecture.md shows the same table to people. */
const LAYERS: Readonly<Record<string, Layer>> = {
  'src/core': { may: [], npm: ['zod', 'yaml'], node: false },
  'src/wire': { may: ['src/core'], npm: [], node: false },
  'src/engine': { may: ['src/core'], npm: [], node: false },
  'src/parts': { may: ['src/core', 'src/wire'], npm: [], node: false },
  'src/doctor': { may: ['src/core', 'src/wire'], npm: ['zod'], node: false },
  'src/system': {
    may: ['src/core', 'src/wire', 'src/engine', 'src/doctor'],
    npm: ['acme-client', 'node-forge', 'socks-proxy-agent', 'zod'],
    node: true,
  },
  'src/helper': { may: ['src/core', 'src/wire', 'src/system'], npm: ['zod'], node: true },
  'src/relay': {
    may: ['src/core', 'src/wire', 'src/system', 'src/helper'],
    npm: ['node-forge', 'zod'],
    node: true,
  },
  'src/lab': { may: ['src/core', 'src/wire', 'src/system'], npm: ['zod', 'yaml'], node: true },
  'src/api': { may: ['src/core', 'src/engine'], npm: ['hono', '@hono/zod-openapi', 'zod'], node: false },
  'src/cli': {
    may: [
      'src/core',
      'src/wire',
      'src/system',
      'src/api',
      'src/doctor',
      'src/lab',
      'src/daemon',
      'src/helper',
      'src/relay',
    ],
    npm: ['qrcode', 'zod'],
    node: true,
  },
  'src/daemon': {
    may: ['src/core', 'src/wire', 'src/engine', 'src/parts', 'src/system', 'src/api', 'providers'],
    npm: ['@hono/node-server', '@hono/zod-openapi', 'hono', 'zod'],
    node: true,
  },
  providers: { may: ['src/core', 'src/wire'], npm: ['zod'], node: false },
};

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g;

interface Edge {
  readonly from: string;
  readonly spec: string;
  readonly to: string | undefined;
}

function sources(): string[] {
  return ['src', 'providers'].flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
      .map((entry) => relative(root, join(entry.parentPath, entry.name))),
  );
}

function edges(): Edge[] {
  return sources().flatMap((from) =>
    [...readFileSync(join(root, from), 'utf8').matchAll(IMPORT)].map((match) => {
      const spec = match[1] ?? match[2] ?? match[3] ?? '';
      return {
        from,
        spec,
        to: spec.startsWith('.') ? relative(root, resolve(root, dirname(from), spec)) : undefined,
      };
    }),
  );
}

const layerOf = (path: string): string | undefined =>
  Object.keys(LAYERS).find((layer) => path.startsWith(`${layer}/`));
const packageOf = (spec: string): string => spec.split('/', spec.startsWith('@') ? 2 : 1).join('/');

function violation({ from, spec, to }: Edge): string | undefined {
  const layer = layerOf(from);
  const rule = layer === undefined ? undefined : LAYERS[layer];
  if (layer === undefined || rule === undefined) return 'file is in no layer';
  if (spec.startsWith('node:')) return rule.node ? undefined : `${layer} must not touch ${spec}`;
  if (to === undefined)
    return rule.npm.includes(packageOf(spec)) ? undefined : `${layer} must not use ${spec}`;
  const target = layerOf(to);
  if (target === 'providers') return providerViolation(from, to, layer);
  return target === layer || rule.may.includes(target ?? '') ? undefined : `${layer} must not import ${to}`;
}

function providerViolation(from: string, to: string, layer: string): string | undefined {
  if (layer !== 'providers') {
    return layer === 'src/daemon' && to === 'providers/index.ts'
      ? undefined
      : 'only the daemon imports the registry';
  }
  const isIsland = from === 'providers/index.ts' || from.split('/')[1] === to.split('/')[1];
  return isIsland ? undefined : 'providers are islands';
}

it('every import respects the layers', () => {
  const all = edges();
  expect(all.length).toBeGreaterThan(100); // a rule that saw nothing proves nothing
  expect(
    all.flatMap((edge) => {
      const wrong = violation(edge);
      return wrong === undefined ? [] : [`${edge.from} → ${edge.spec}: ${wrong}`];
    }),
  ).toEqual([]);
});

it('every provider folder is registered under its own name, and nothing else', () => {
  const folders = readdirSync(join(root, 'providers'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  expect(providers.map((provider) => provider.id).sort()).toEqual(folders.sort());
  for (const folder of folders) expect(existsSync(join(root, 'providers', folder, 'README.md'))).toBe(true);
});

it('commands run in one place, and never through a shell', () => {
  const offenders = sources().filter((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const spawns = text.includes('node:child_process') && file !== 'src/system/run.ts';
    return spawns || /shell:\s*(true|['"])/.test(text) || /['"](sh|bash)['"],\s*['"]-c['"]/.test(text);
  });
  expect(offenders).toEqual([]);
});

it('no file is longer than 300 lines', () => {
  const long = sources().filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 301);
  expect(long).toEqual([]);
});
