import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { GatewayError } from '../../core/errors.ts';
import { fileError } from '../../system/files.ts';
import { run } from '../../system/run.ts';
import { exists } from './steps.ts';

const Package = z.looseObject({ version: z.string().regex(/^[0-9A-Za-z.+-]{1,40}$/) });
const Lock = z.looseObject({
  packages: z.record(
    z.string(),
    z.looseObject({ dev: z.boolean().optional(), devOptional: z.boolean().optional() }),
  ),
});

const LOCK = 'node_modules/.package-lock.json';
const MAIN = 'dist/src/cli/main.js';
const NODE = 'node_modules/.bin/node';

/** A program that can be installed, in the folder where it was built. */
export interface Program {
  readonly source: string;
  /** `0.1.0-3fa9c1d2`: another build is another version. */
  readonly id: string;
  /** Folders of npm packages that it needs when it runs. */
  readonly packages: readonly string[];
}

/** Throws when the folder holds no built program. */
export async function examineProgram(source: string): Promise<Program> {
  for (const file of ['bin/gateway', MAIN, NODE, LOCK, 'package.json']) {
    if (await exists(join(source, file))) continue;
    throw new GatewayError(`${source} holds no gateway that can be installed: ${file} is missing`, {
      code: 'InvalidRequest',
      retry: 'never',
      hint: `run ${join(source, 'bin/setup')} first, or name another folder`,
    });
  }
  const { version } = Package.parse(JSON.parse(await readFile(join(source, 'package.json'), 'utf8')));
  const lock = await readFile(join(source, LOCK), 'utf8');
  const { packages } = Lock.parse(JSON.parse(lock));
  const wanted = Object.entries(packages).filter(
    ([, { dev, devOptional }]) => dev !== true && devOptional !== true,
  );
  const present = await Promise.all(
    wanted.map(async ([path]) => ((await exists(join(source, path))) ? [path] : [])),
  );
  const hash = await hashOf(source);
  return { source, id: `${version}-${hash.slice(0, 8)}`, packages: present.flat() };
}

/** Of what we build and of the list of packages; names and contents. */
async function hashOf(source: string): Promise<string> {
  const built = await readdir(join(source, 'dist'), { recursive: true, withFileTypes: true });
  const files = built
    .filter((entry) => entry.isFile() && entry.name.endsWith('.js'))
    .map((entry) => join(entry.parentPath, entry.name));
  const hash = createHash('sha256');
  for (const file of [...files, join(source, 'package.json'), join(source, 'bin/gateway')].sort()) {
    hash
      .update(file.slice(source.length))
      .update('\0')
      .update(await readFile(file))
      .update('\0');
  }
  return hash.digest('hex');
}

/** Copies what runs, and nothing else, to `target`: whole, or not at all. */
export async function copyProgram(
  { source, packages }: Program,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const draft = `${target}.new`;
  try {
    await rm(draft, { recursive: true, force: true });
    await mkdir(join(draft, 'bin'), { recursive: true });
    for (const path of ['dist', 'package.json', 'bin/gateway', LOCK, ...packages.flatMap(neededOf)]) {
      signal.throwIfAborted();
      await cp(join(source, path), join(draft, path), {
        recursive: true,
        verbatimSymlinks: true,
        filter: isRun,
      });
    }
    await linkNode(source, draft, packages);
    await run(['chmod', '-R', 'u+rwX,go+rX,go-w', draft], { signal, timeoutMs: 120_000 });
    await run(['chown', '-R', `${process.geteuid?.() ?? 0}:${process.getegid?.() ?? 0}`, draft], {
      signal,
      timeoutMs: 120_000,
    });
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw fileError(`the program could not be copied to ${target}`, error);
  }
}

/** Not what only compilers and readers of the source need: half of all files. */
function isRun(path: string): boolean {
  return !/\.(?:[cm]?ts|map|md|html)$/i.test(path);
}

const NODE_PACKAGE = /^node_modules\/node-linux-[a-z0-9]+$/;

/** Of Node only itself: what compilers and npm need is as large again. */
function neededOf(path: string): string[] {
  return NODE_PACKAGE.test(path)
    ? ['package.json', 'LICENSE', 'bin/node'].map((file) => join(path, file))
    : [path];
}

async function linkNode(source: string, draft: string, packages: readonly string[]): Promise<void> {
  const node = packages.find((path) => NODE_PACKAGE.test(path));
  if (node === undefined) {
    throw new GatewayError(`there is no Node for this machine in ${source}/node_modules`, {
      code: 'InvalidRequest',
      hint: `run ${join(source, 'bin/setup')}`,
    });
  }
  await mkdir(join(draft, 'node_modules/.bin'), { recursive: true });
  await symlink(join('..', node.slice('node_modules/'.length), 'bin/node'), join(draft, NODE));
}
