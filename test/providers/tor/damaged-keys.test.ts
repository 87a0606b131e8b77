import { mkdir, mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { providers } from '../../../providers/index.ts';
import { tor } from '../../../providers/tor/index.ts';
import { networkFor } from '../../../src/core/allocate.ts';
import { parseConfig } from '../../../src/core/config.ts';
import type { Context } from '../../../src/core/contract.ts';
import { compileDesired } from '../../../src/core/desired.ts';
import { appliedOf } from '../../../src/daemon/applied.ts';
import { pass } from '../../../src/engine/reconciler.ts';
import { nodeCrypto } from '../../../src/system/crypto.ts';
import { directoriesIn, pathsOf } from '../../../src/system/directories.ts';
import { createKeys, memoryRegistry } from '../../../src/system/keys.ts';
import { torPorts } from '../../support/contract-machine.ts';
import { type Gateway, startGateway } from '../../support/gateway-machine.ts';
import { type Machine, startMachine } from '../../support/machine.ts';
import { unavailablePorts } from '../../support/unavailable-ports.ts';

/** Damaged master keys under a real helper and a real tor: one service suffers, and no key is ever invented. */
let machine: Machine;
let gateway: Gateway;
let directory: string;
let context: () => Context;
let close: () => Promise<void>;
const NETWORK = networkFor('gw', '10.64.0.0/20');
const parsed = parseConfig(
  'services: { blog: { port: 81, expose: { tor: {} } }, shop: { port: 80, expose: { tor: {} } } }',
  providers,
);
if (parsed.config === undefined) throw new Error('the config of this test is wrong');
const desired = compileDesired({
  config: parsed.config,
  devices: [],
  ledger: {},
  parts: [],
  providers: [tor],
  network: NETWORK,
});
const keyFile = (service = 'shop'): string => join(directory, 'tor', `${service}.key`);
const SILENT = { applying: () => undefined, applied: () => undefined, failed: () => undefined };
const drive = () => pass([tor], desired.resources, context(), SILENT);
const seen = async () => {
  const observed = await tor.observe(context());
  const of = (service: string) => observed.find(({ key }) => key === `onion:${service}`)?.facts;
  return { shop: of('shop'), blog: of('blog'), tor: observed.find(({ key }) => key.startsWith('process:')) };
};
let addresses: unknown[];

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
  directory = await mkdtemp(join(tmpdir(), 'gw-damage-'));
  const paths = pathsOf(directoriesIn('/run/gw-root'));
  const ports = torPorts(machine, paths);
  close = async () => {
    for (const port of Object.values(ports)) await port.close();
  };
  const keys = createKeys({ directory, registry: memoryRegistry(), crypto: nodeCrypto });
  const all = unavailablePorts({ keys, crypto: nodeCrypto, helper: gateway.helper, tor: ports });
  context = () => ({ signal: AbortSignal.timeout(30_000), network: NETWORK, ports: all });
  await gateway.apply(appliedOf(desired));
  expect((await drive()).failed).toEqual([]);
  const { shop, blog } = await seen();
  addresses = [shop?.['address'], blog?.['address']];
}, 30_000);
afterAll(async () => {
  await close();
  gateway.helper.close();
  await machine.stop();
  await rm(directory, { recursive: true });
});

it.each<[string, () => Promise<unknown>, string, RegExp]>([
  ['truncated', () => truncate(keyFile(), 60), 'KeyCorrupt', /not a whole key file/],
  ['empty', () => truncate(keyFile(), 0), 'KeyCorrupt', /it is empty/],
  ['one letter other', async () => flip(keyFile()), 'KeyCorrupt', /checksum is wrong/],
  [
    'with another header',
    async () =>
      writeFile(keyFile(), (await readFile(keyFile(), 'latin1')).replace('gateway key 1', 'tor key 1')),
    'KeyCorrupt',
    /not a whole key file/,
  ],
  [
    "replaced by another service's",
    async () => writeFile(keyFile(), await readFile(keyFile('blog'))),
    'KeyCorrupt',
    /another key than the one in use/,
  ],
  [
    'replaced by a directory',
    async () => {
      await rm(keyFile());
      await mkdir(keyFile());
    },
    'KeyCorrupt',
    /a directory is in its place/,
  ],
  ['gone', () => rm(keyFile()), 'KeyMissing', /does not exist, but it was in use/],
])(
  'a master key that is %s: that service alone says so, and nothing is invented',
  async (_what, damage, code, message) => {
    const whole = await readFile(keyFile());
    await damage();
    const left = await readFile(keyFile()).catch(() => undefined);
    const { failed } = await drive();
    expect(
      failed.map(({ error, change }) => [error.code, change.op === 'delete' ? '' : change.want.key]),
    ).toEqual([[code, 'onion:shop']]);
    expect(failed[0]?.error.message).toMatch(message);
    expect(failed[0]?.error.hint).toMatch(/back from a backup/);
    const during = await seen();
    // tor still serves both: its own files are whole.
    expect(during.tor?.facts['running']).toBe(true);
    expect(during.shop).toMatchObject({ address: addresses[0], trouble: code });
    expect(during.blog?.['trouble']).toBeUndefined();
    expect(await readFile(keyFile()).catch(() => undefined)).toEqual(left);
    await rm(keyFile(), { recursive: true, force: true });
    await writeFile(keyFile(), whole, { mode: 0o600 });
    expect((await drive()).failed).toEqual([]);
    const after = await seen();
    expect([after.shop?.['address'], after.blog?.['address']]).toEqual(addresses);
  },
);

it('keeps the other onion up when key and files of one are damaged, also over a start of tor', async () => {
  const paths = pathsOf(directoriesIn('/run/gw-root'));
  const secret = machine.outside(`${paths.torState}/onions/shop/hs_ed25519_secret_key`);
  const aside = `${keyFile()}.aside`;
  await rename(keyFile(), aside);
  await truncate(secret, 31);
  expect((await drive()).failed.map(({ error }) => error.code)).toEqual(['KeyMissing']);
  const during = await seen();
  expect(during.shop?.['address']).not.toMatch(/\.onion/);
  expect(during.blog?.['trouble']).toBeUndefined();
  expect((await readFile(secret)).length).toBe(31);
  await rename(aside, keyFile());
  expect((await drive()).failed).toEqual([]);
  expect((await seen()).shop?.['address']).toBe(addresses[0]);
});

it('mends the files that tor reads from the master key in one pass', async () => {
  const paths = pathsOf(directoriesIn('/run/gw-root'));
  await rm(machine.outside(`${paths.torState}/onions/shop`), { recursive: true });
  expect((await seen()).shop).toMatchObject({ address: addresses[0], trouble: 'FilesDamaged' });
  expect((await drive()).failed).toEqual([]);
  expect((await seen()).shop?.['trouble']).toBeUndefined();
});

async function flip(path: string): Promise<void> {
  const text = await readFile(path, 'latin1');
  const at = text.indexOf('secret ') + 20;
  await writeFile(path, `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`);
}
