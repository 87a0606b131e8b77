import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../src/system/run.ts';

/**
 * Power cuts while state and keys are written: an ext4 image is copied at a random moment, without what the kernel had
 * not written yet, and the copy is opened as the next boot would. CI takes 5 rounds, `npm run soak` 200.
 */
const ROUNDS = process.env['GATEWAY_SOAK'] === undefined ? 5 : 200;
const NODE = resolve(import.meta.dirname, '../../node_modules/.bin/node');
const WRITER = resolve(import.meta.dirname, '../support/state-writer.ts');
const isRoot = process.getuid?.() === 0;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gwcut-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Mounts `image` in a mount namespace of its own, which ends with the program, and runs the writer there. */
function onImage(image: string, ...words: string[]): [string, ...string[]] {
  const mounted = join(directory, 'mnt');
  const script = 'mkdir -p "$2" && mount -o loop "$1" "$2" && shift 2 && exec "$@"';
  const program = [NODE, WRITER, words[0] ?? '', mounted, ...words.slice(1)];
  return [
    'unshare',
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    script,
    'sh',
    image,
    mounted,
    ...program,
  ];
}

/** Writes until a random moment, then takes the power away. Resolves with the number that was acknowledged last. */
async function cutWhileWriting(image: string, copy: string): Promise<number> {
  const [program, ...rest] = onImage(image, 'write');
  const writer = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  let acknowledged = 0;
  const lines = createInterface({ input: writer.stdout }).on('line', (line) => (acknowledged = Number(line)));
  await once(lines, 'line');
  await sleep(Math.random() * 400);
  writer.kill('SIGSTOP');
  await sleep(20);
  await copyFile(image, copy);
  writer.kill('SIGKILL');
  await once(writer, 'exit');
  return acknowledged;
}

it.skipIf(!isRoot)(
  `${ROUNDS} power cuts lose no key and no acknowledged change, and invent nothing (needs root: it mounts an image)`,
  async () => {
    const signal = AbortSignal.timeout(ROUNDS * 20_000);
    for (let round = 0; round < ROUNDS; round += 1) {
      const [image, copy] = [join(directory, 'disk.img'), join(directory, 'cut.img')];
      await run(['truncate', '-s', '0', image], { signal });
      await run(['truncate', '-s', '32M', image], { signal });
      await run(['mkfs.ext4', '-q', image], { signal });
      const acknowledged = await cutWhileWriting(image, copy);
      const { stdout } = await run(onImage(copy, 'check', String(acknowledged)), { signal });
      expect({ round, acknowledged, wrong: JSON.parse(stdout) as unknown }).toEqual({
        round,
        acknowledged,
        wrong: [],
      });
    }
  },
  ROUNDS * 20_000,
);
