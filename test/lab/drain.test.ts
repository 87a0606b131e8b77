import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PlanReport } from '../../src/core/control.ts';
import type { Status } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { TorVisitor } from '../../src/lab/actors/visitor.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';

/** Onions that are closed while somebody downloads. */
const TOPOLOGY = parseTopology(
  {
    description: 'a home, a visitor, a private Tor network',
    nodes: {
      core: { kind: 'router' },
      tornet: { defaultRoute: '11.9.0.1', services: [{ type: 'tor' }] },
      home: { defaultRoute: '11.2.0.1' },
      visitor: { defaultRoute: '11.5.0.1' },
    },
    networks: {
      relays: {
        core: '11.9.0.1/24',
        tornet: ['11.9.0.10/24', '11.9.0.11/24', '11.9.0.12/24', '11.9.0.13/24', '11.9.0.14/24'],
      },
      uplink: { core: '11.2.0.1/24', home: '11.2.0.2/24' },
      access: { core: '11.5.0.1/24', visitor: '11.5.0.2/24' },
    },
  },
  'drain',
);
const CONFIG = `services:
  shop: { port: 80, kind: http, expose: { tor: {} } }
  blog: { port: 81, kind: http, expose: { tor: {} } }
`;
const BYTES = 25_000_000;

let lab: Lab;
let gateway: LabGateway;
let visitor: TorVisitor;
const signal = AbortSignal.timeout(120_000);

beforeAll(async () => {
  lab = await startLab(TOPOLOGY, { signal });
  visitor = await TorVisitor.start(lab, 'visitor');
  gateway = await LabGateway.prepare(lab, 'home', CONFIG);
  await gateway.node.run(['chown', '-R', 'gateway:gateway', join(gateway.root, 'etc')], { signal });
  await gateway.command(signal, 'up');
  await gateway.runShop('shop', 80);
  await gateway.runShop('blog', 81);
  await visitor.bootstrapped(signal);
}, 60_000);
afterAll(() => lab?.stop());

const wayOf = (status: Status, service: string) =>
  status.services.find(({ name }) => name === service)?.ways.find(({ provider }) => provider === 'tor');
const isUp = (service: string) => (status: Status) => wayOf(status, service)?.reachable === 'yes';
const onions = (): Promise<string[]> => readdir(join(gateway.root, 'lib/tor/onions'));
const pid = (): Promise<string> => readFile(join(gateway.root, 'run/tor/pid'), 'utf8');

const downloads: string[] = [];
/** Slow enough to be under way for some seconds; it has begun when this resolves. */
async function download(url: string, who: string): Promise<{ readonly bytes: Promise<number> }> {
  const file = join(visitor.node.directory, who);
  const argv = visitor.curl(
    `${url}/download?bytes=${BYTES}`,
    who,
    '--limit-rate',
    '5M',
    '--speed-time',
    '3',
    '-o',
    file,
  );
  const ran = visitor.node.run(argv, { signal, timeoutMs: 70_000, accept: [0, 18, 28, 56, 97] });
  const bytes = ran.then(async () => (await stat(file)).size).finally(() => downloads.push(who));
  const hasBegun = async (): Promise<boolean> => (await readdir(visitor.node.directory)).includes(who);
  while (!(await hasBegun())) await sleep(100, undefined, { signal });
  return { bytes };
}
const open = (url: string, who: string): Promise<string> => visitor.open(url, signal, who, 5);

/** What it needs to become true is a look at tor, which comes by itself within a minute. */
async function untilGone(isGone: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 25_000; Date.now() < deadline && !(await isGone());) {
    await gateway.command(signal, 'up');
    await sleep(500);
  }
  expect(await isGone()).toBe(true);
}

it('lets a download finish, lets nobody new in, and is gone then', async () => {
  const status = await gateway.until('both', (now) => isUp('shop')(now) && isUp('blog')(now), signal);
  const url = wayOf(status, 'shop')?.address ?? '';
  const before = await pid();
  await open(url, 'new');
  const { bytes } = await download(url, 'kept');
  await gateway.command(signal, 'unexpose', 'shop', '--via', 'tor');
  // With what it knows of before, on a circuit that is open and on another: nobody gets in.
  expect(downloads).toEqual([]);
  const isIn = (who: string): Promise<boolean> =>
    open(url, who).then(
      () => true,
      () => false,
    );
  expect(await Promise.all(['new', 'fresh'].map(isIn))).toEqual([false, false]);
  expect(await bytes).toBe(BYTES);
  expect(await open(wayOf(status, 'blog')?.address ?? '', 'blog')).toContain('The corner shop');
  await untilGone(async () => (await onions()).every((name) => !name.startsWith('shop')));
  expect(await pid()).toBe(before);
}, 60_000);

it('keeps the last process until its visitors have finished, and cuts them when told to', async () => {
  const url = wayOf(await gateway.status(signal), 'blog')?.address ?? '';
  const { bytes } = await download(url, 'cut');
  await gateway.command(signal, 'unexpose', 'blog', '--via', 'tor');
  expect((await gateway.json<PlanReport>(signal, 'plan')).changes).toEqual([]);
  expect(downloads).toEqual(['kept']);
  await gateway.command(signal, 'unexpose', '--all', '--now');
  expect(await bytes).toBeLessThan(BYTES);
  expect(await onions()).toEqual([]);
  await expect(pid()).rejects.toThrow('ENOENT');
}, 30_000);
