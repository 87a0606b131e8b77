import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLedger } from '../../src/cli/install/install.ts';
import { layoutIn, type Layout } from '../../src/cli/install/layout.ts';
import { directoryStep, removeMade } from '../../src/cli/install/steps.ts';

let layout: Layout;
let directory: string;
beforeEach(() => {
  layout = layoutIn(mkdtempSync(join(tmpdir(), 'gw-steps-')));
  mkdirSync(layout.at('/etc'));
  mkdirSync(layout.at(layout.prefix), { recursive: true });
  directory = layout.at(layout.resolverFiles);
});
afterEach(() => rmSync(layout.top, { recursive: true }));

/** Resolves with whether the step had something to do. */
async function install(): Promise<boolean> {
  const step = directoryStep(layout, layout.resolverFiles, await openLedger(layout));
  if (await step.isDone()) return false;
  await step.run(AbortSignal.timeout(1000));
  return true;
}

async function uninstall(): Promise<void> {
  await removeMade(layout, (await openLedger(layout)).manifest);
}

it('removes a directory of the system that it made', async () => {
  expect(await install()).toBe(true);
  expect(await install()).toBe(false);
  expect(existsSync(directory)).toBe(true);
  await uninstall();
  expect(existsSync(directory)).toBe(false);
  expect(existsSync(layout.at('/etc'))).toBe(true);
});

it('leaves one that was there before, also when it is empty', async () => {
  mkdirSync(directory);
  expect(await install()).toBe(false);
  await uninstall();
  expect(existsSync(directory)).toBe(true);
});

it('leaves one that somebody uses by now', async () => {
  await install();
  writeFileSync(join(directory, 'somebody'), '');
  await uninstall();
  expect(existsSync(join(directory, 'somebody'))).toBe(true);
});
