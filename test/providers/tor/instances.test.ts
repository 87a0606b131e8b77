import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { providers } from '../../../providers/index.ts';
import { tor } from '../../../providers/tor/index.ts';
import { networkFor } from '../../../src/core/allocate.ts';
import { parseConfig } from '../../../src/core/config.ts';
import type { Context } from '../../../src/core/contract.ts';
import { compileDesired } from '../../../src/core/desired.ts';
import type { TorInstance } from '../../../src/core/tor-instance.ts';
import { appliedOf } from '../../../src/daemon/applied.ts';
import { pass, sentenceOf } from '../../../src/engine/reconciler.ts';
import { nodeCrypto } from '../../../src/system/crypto.ts';
import { directoriesIn, pathsOf } from '../../../src/system/directories.ts';
import { createKeys, memoryRegistry } from '../../../src/system/keys.ts';
import { torPorts } from '../../support/contract-machine.ts';
import { type Gateway, startGateway } from '../../support/gateway-machine.ts';
import { type Machine, startMachine, until } from '../../support/machine.ts';
import { unavailablePorts } from '../../support/unavailable-ports.ts';

/** Services that are tor-only on a tor process of their own: a real helper, two real tors. */
let machine: Machine;
let gateway: Gateway;
let directory: string;
let context: () => Context;
let close: () => Promise<void>;
const NETWORK = networkFor('gw', '10.64.0.0/20');
const paths = pathsOf(directoriesIn('/run/gw-root'));
const SILENT = { applying: () => undefined, applied: () => undefined, failed: () => undefined };

const OPEN = 'shop: { port: 80, expose: { tor: {} } }';
const HIDDEN = 'diary: { port: 81, privacy: tor-only, expose: { tor: {} } }';
const drive = async (...services: string[]): Promise<string[]> => {
  const { config } = parseConfig(`services: { ${services.join(', ')} }`, providers);
  if (config === undefined) throw new Error('the config of this test is wrong');
  const input = { config, devices: [], ledger: {}, parts: [], providers: [tor], network: NETWORK };
  const desired = compileDesired(input);
  await gateway.apply(appliedOf(desired));
  const report = await pass([tor], desired.resources, context(), SILENT);
  expect(report.failed.map(({ error }) => error.message)).toEqual([]);
  return report.changes.map(sentenceOf);
};
const observed = async () => {
  const found = (await tor.observe(context())).map((one) => [one.key, one.facts] as const);
  return new Map<string, Readonly<Record<string, unknown>>>(found);
};
const addressOf = async (key: string): Promise<unknown> => (await observed()).get(key)?.['address'];
const pidOf = async (instance: TorInstance): Promise<number> =>
  Number(await readFile(machine.outside(paths.ofTor(instance).torPid), 'utf8'));
/** Every file of one process, as text: its torrc, its log, its onions and what tor itself keeps. */
const everything = async (instance: TorInstance): Promise<string> => {
  const top = machine.outside(paths.ofTor(instance).torState);
  const entries = await readdir(top, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const texts = files.map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1'));
  return [...entries.map(({ name }) => name), ...(await Promise.all(texts))].join('\n');
};

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
  directory = await mkdtemp(join(tmpdir(), 'gw-instances-'));
  const ports = torPorts(machine, paths);
  close = async () => {
    for (const port of Object.values(ports)) await port.close();
  };
  const keys = createKeys({ directory, registry: memoryRegistry(), crypto: nodeCrypto });
  const all = unavailablePorts({ keys, crypto: nodeCrypto, helper: gateway.helper, tor: ports });
  context = () => ({ signal: AbortSignal.timeout(30_000), network: NETWORK, ports: all });
}, 30_000);
afterAll(async () => {
  await close();
  gateway.helper.close();
  await machine.stop();
  await rm(directory, { recursive: true });
});

it('makes nothing for a process that no service needs', async () => {
  await drive(OPEN);
  const state = await readdir(machine.outside(directoriesIn('/run/gw-root').state));
  expect(state).toContain('tor');
  expect(state).not.toContain('tor-only');
});

it('runs each in a process of its own, and neither knows anything of the other', async () => {
  await drive(OPEN, HIDDEN);
  const facts = await observed();
  expect([...facts.keys()].sort()).toEqual([
    'onion:shop',
    'onion:tor-only/diary',
    'process:tor',
    'process:tor-only',
  ]);
  expect(facts.get('process:tor')).toMatchObject({ running: true });
  expect(facts.get('process:tor-only')).toMatchObject({ running: true });
  expect(await pidOf('tor')).not.toBe(await pidOf('tor-only'));
  const [shop, diary] = [
    String(await addressOf('onion:shop')),
    String(await addressOf('onion:tor-only/diary')),
  ];
  const [open, hidden] = [await everything('tor'), await everything('tor-only')];
  expect(open).toContain(shop);
  expect(hidden).toContain(diary);
  for (const word of ['diary', diary]) expect(open).not.toContain(word);
  for (const word of ['shop', shop]) expect(hidden).not.toContain(word);
});

it('leaves the other one up when one is killed, and starts only that one again', async () => {
  const [open, hidden] = [await pidOf('tor'), await pidOf('tor-only')];
  await machine.sh('kill', '-KILL', String(hidden));
  const facts = await until(async () => {
    const now = await observed();
    return now.get('process:tor-only')?.['running'] === false ? now : undefined;
  });
  expect(facts.get('process:tor')).toMatchObject({ running: true });
  // It lived for less than a minute: the first start after that waits a second.
  await until(() => drive(OPEN, HIDDEN).catch(() => undefined));
  expect(await pidOf('tor')).toBe(open);
  expect(await pidOf('tor-only')).not.toBe(hidden);
});

it('moves a service whose privacy changes, and its address goes with it', async () => {
  const before = await addressOf('onion:shop');
  const other = 'blog: { port: 82, expose: { tor: {} } }';
  await drive(OPEN, HIDDEN, other);
  const [open, hidden] = [await pidOf('tor'), await pidOf('tor-only')];
  const stricter = OPEN.replace('port: 80', 'port: 80, privacy: tor-only');
  const changes = await drive(stricter, HIDDEN, other);
  expect(changes[0]).toMatch(/take the onion service of shop away/);
  expect(await addressOf('onion:shop')).toBeUndefined();
  expect(await addressOf('onion:tor-only/shop')).toBe(before);
  expect(await everything('tor')).not.toContain(String(before));
  expect([await pidOf('tor'), await pidOf('tor-only')]).toEqual([open, hidden]);
  await drive(OPEN, HIDDEN, other);
  expect(await addressOf('onion:shop')).toBe(before);
  expect(await everything('tor-only')).not.toContain(String(before));
});

it('stops the process that no service needs any more, and leaves nothing of its onions', async () => {
  const hidden = await pidOf('tor-only');
  await drive(OPEN);
  expect([...(await observed()).keys()].sort()).toEqual(['onion:shop', 'process:tor']);
  await expect(machine.sh('kill', '-0', String(hidden))).rejects.toThrow();
  expect(await readdir(machine.outside(`${paths.ofTor('tor-only').torState}/onions`))).toEqual([]);
});
