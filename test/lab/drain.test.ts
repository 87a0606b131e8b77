import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PlanReport } from '../../src/core/control.ts';
import { TorLab } from '../support/tor-lab.ts';

/** Onions that are closed while somebody downloads. */
const CONFIG = `services:
  shop: { port: 80, kind: http, expose: { tor: {} } }
  blog: { port: 81, kind: http, expose: { tor: {} } }
`;
const BYTES = 25_000_000;

let tor: TorLab;
const signal = AbortSignal.timeout(120_000);

beforeAll(async () => {
  tor = await TorLab.start({ name: 'drain', config: CONFIG, shops: { shop: 80, blog: 81 }, signal });
}, 60_000);
afterAll(() => tor?.lab.stop());

const onions = (): Promise<string[]> => readdir(join(tor.gateway.root, 'lib/tor/onions'));
const open = (url: string, who: string): Promise<string> => tor.visitor.open(url, signal, who, 5);

/** What it needs to become true is a look at tor, which comes by itself within a minute. */
async function untilGone(isGone: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 25_000; Date.now() < deadline && !(await isGone());) {
    await tor.gateway.command(signal, 'up');
    await sleep(500);
  }
  expect(await isGone()).toBe(true);
}

it('lets a download finish, lets nobody new in, and is gone then', async () => {
  const status = await tor.gateway.until(
    'both',
    (now) => tor.isUp('shop')(now) && tor.isUp('blog')(now),
    signal,
  );
  const url = tor.way(status, 'shop')?.address ?? '';
  const before = await tor.pidOf();
  await open(url, 'new');
  const { bytes, isOver } = await tor.download(url, 'kept', BYTES);
  await tor.gateway.command(signal, 'unexpose', 'shop', '--via', 'tor');
  // With what it knows of before, on a circuit that is open and on another: nobody gets in.
  expect(isOver()).toBe(false);
  const isIn = (who: string): Promise<boolean> =>
    open(url, who).then(
      () => true,
      () => false,
    );
  expect(await Promise.all(['new', 'fresh'].map(isIn))).toEqual([false, false]);
  expect(await bytes).toBe(BYTES);
  expect(await open(tor.way(status, 'blog')?.address ?? '', 'blog')).toContain('The corner shop');
  await untilGone(async () => (await onions()).every((name) => !name.startsWith('shop')));
  expect(await tor.pidOf()).toBe(before);
}, 60_000);

it('keeps the last process until its visitors have finished, and cuts them when told to', async () => {
  const url = tor.way(await tor.gateway.status(signal), 'blog')?.address ?? '';
  const { bytes, isOver } = await tor.download(url, 'cut', BYTES);
  await tor.gateway.command(signal, 'unexpose', 'blog', '--via', 'tor');
  expect((await tor.gateway.json<PlanReport>(signal, 'plan')).changes).toEqual([]);
  expect(isOver()).toBe(false);
  await tor.gateway.command(signal, 'unexpose', '--all', '--now');
  expect(await bytes).toBeLessThan(BYTES);
  expect(await onions()).toEqual([]);
  await expect(tor.pidOf()).rejects.toThrow('ENOENT');
}, 30_000);
