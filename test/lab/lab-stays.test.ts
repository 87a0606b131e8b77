import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { labDown, labExec, labList, labUp } from '../../src/cli/lab.ts';
import { attachLab } from '../../src/lab/index.ts';
import { outputOf } from '../support/lab.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lab-stays-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('goes up from a file, is entered from elsewhere, and goes down', async () => {
  const name = `stays-${process.pid}`;
  const file = join(folder, `${name}.yaml`);
  await writeFile(
    file,
    'nodes: { left: {}, right: {} }\nnetworks: { wire: { left: 10.1.0.1/24, right: 10.1.0.2/24 } }\n',
  );
  const said: string[] = [];
  const up = await labUp(file, {
    signal: AbortSignal.timeout(20_000),
    progress: (message) => said.push(message),
  });
  try {
    expect(up).toMatchObject({ name, isDetached: true });
    expect(said[0]).toBe('making 2 nodes and 1 networks');
    expect(await labList()).toContainEqual(up);
    expect(await labExec('left', ['sh', '-c', 'exit 3'], name)).toBe(3);
    const again = await attachLab(up.directory);
    expect(await outputOf(again, 'left', ['ping', '-c1', '-W2', '10.1.0.2'])).toContain('1 received');
    await again.node('right').cut();
    expect((await labList()).find(({ directory }) => directory === up.directory)?.nodes).toContainEqual({
      name: 'right',
      hasPower: false,
    });
  } finally {
    await labDown(name);
  }
  expect((await labList()).map(({ directory }) => directory)).not.toContain(up.directory);
  await expect(labExec('left', ['true'], name)).rejects.toThrow(/no lab named/);
});
