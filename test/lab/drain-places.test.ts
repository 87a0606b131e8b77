import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TorLab } from '../support/tor-lab.ts';

/** Onions of every kind that are closed while somebody downloads. */
const PLACES = {
  diary: '{ port: 81, kind: http, privacy: tor-only, expose: { tor: {} } }',
  quick: '{ port: 82, kind: http, expose: { tor: { anonymity: single-hop } } }',
  near: '{ port: 83, kind: http, namespace: host, expose: { tor: {} } }',
  far: "{ target: '192.168.60.2:84', kind: http, expose: { tor: {} } }",
} as const;
const NAMES = Object.keys(PLACES);
const CONFIG = `services:\n${Object.entries(PLACES)
  .map(([name, text]) => `  ${name}: ${text}\n`)
  .join('')}`;
const BYTES = 25_000_000;
const TEN_MINUTES_MS = 600_000;

let tor: TorLab;
const signal = AbortSignal.timeout(150_000);
const inState = (...path: readonly string[]): string => join(tor.gateway.root, 'lib', ...path);
const addresses = new Map<string, string>();

beforeAll(async () => {
  const shops = { diary: 81, quick: 82 };
  tor = await TorLab.start({ name: 'drain-places', config: CONFIG, shops, hasLan: true, signal });
  await tor.runShop('home', 83);
  await tor.runShop('nas', 84);
  for (const name of NAMES) {
    const status = await tor.gateway.until(name, tor.isUp(name), signal);
    addresses.set(name, tor.way(status, name)?.address ?? '');
  }
}, 90_000);
afterAll(() => tor?.lab.stop());

it('leaves no note behind when the change is refused', async () => {
  await tor.home('chown', '-R', 'root:root', join(tor.gateway.root, 'etc'));
  await expect(tor.gateway.command(signal, 'unexpose', 'near', '--via', 'tor')).rejects.toThrow();
  await tor.home('chown', '-R', 'gateway:gateway', join(tor.gateway.root, 'etc'));
  expect(await readdir(inState('tor/onions'))).not.toContain('near.drain');
  expect(await tor.open(addresses.get('near') ?? '')).toContain('The corner shop');
}, 60_000);

it('lets downloads finish, whatever process serves the onion and wherever it leads', async () => {
  const downloads = await Promise.all(
    NAMES.map((name) => tor.download(addresses.get(name) ?? '', name, BYTES)),
  );
  await tor.gateway.command(signal, 'unexpose', '--all');
  expect(downloads.map(({ isOver }) => isOver())).toEqual(NAMES.map(() => false));
  expect(await Promise.all(downloads.map(({ bytes }) => bytes))).toEqual(NAMES.map(() => BYTES));
}, 60_000);

it('ends what is not finished after ten minutes', async () => {
  await tor.gateway.command(signal, 'expose', 'near', '--via', 'tor');
  const isIn = (): Promise<boolean> =>
    tor.visit(addresses.get('near') ?? '').then(
      () => true,
      () => false,
    );
  await expect.poll(isIn, { timeout: 30_000 }).toBe(true);
  const { bytes, isOver } = await tor.download(addresses.get('near') ?? '', 'late', 4 * BYTES);
  await tor.gateway.command(signal, 'unexpose', 'near', '--via', 'tor');
  const file = inState('tor/onions/near.drain');
  const note = JSON.parse(await readFile(file, 'utf8')) as { untilMs: number };
  expect(Math.abs(note.untilMs - Date.now() - TEN_MINUTES_MS)).toBeLessThan(30_000);
  expect(isOver()).toBe(false);
  // As if they were over.
  await writeFile(file, JSON.stringify({ ...note, untilMs: Date.now() }));
  await tor.gateway.command(signal, 'up');
  expect(await bytes).toBeLessThan(4 * BYTES);
}, 60_000);
