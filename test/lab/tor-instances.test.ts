import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Status } from '../../src/core/status.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { TorVisitor } from '../../src/lab/actors/visitor.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { onionAddress, renderSecretKeyFile } from '../../src/wire/onion.ts';

/** An onion that moved in, one that is tor-only in a process of its own, and a tor that hangs, seen by a visitor. */
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
  'tor-instances',
);
const CONFIG = 'services:\n  diary: { port: 81, kind: http, privacy: tor-only, expose: { tor: {} } }\n';

let lab: Lab;
let gateway: LabGateway;
let visitor: TorVisitor;
const signal = AbortSignal.timeout(200_000);

beforeAll(async () => {
  lab = await startLab(TOPOLOGY, { signal });
  visitor = await TorVisitor.start(lab, 'visitor');
  gateway = await LabGateway.prepare(lab, 'home', CONFIG);
  await home('chown', '-R', 'gateway:gateway', join(gateway.root, 'etc'));
  await gateway.command(signal, 'up');
  await gateway.runShop('diary', 81);
  await visitor.bootstrapped(signal);
}, 90_000);
afterAll(() => lab?.stop());

const home = async (...argv: readonly [string, ...string[]]): Promise<string> =>
  (await gateway.node.run(argv, { signal })).stdout.trim();
const wayOf = (status: Status, service: string) =>
  status.services.find(({ name }) => name === service)?.ways.find(({ provider }) => provider === 'tor');
const isUpSince =
  (service: string, sinceMs = 0) =>
  (status: Status): boolean =>
    wayOf(status, service)?.reachable === 'yes' &&
    Date.parse(wayOf(status, service)?.provedAt ?? '') > sinceMs;
const pidOf = async (instance: string): Promise<string> =>
  (await readFile(join(gateway.root, 'run', instance, 'pid'), 'utf8')).trim();
let visits = 0;
const visit = async (url: string): Promise<string> =>
  (await visitor.node.run(visitor.curl(url, `visit${(visits += 1)}`, '--max-time', '15'), { signal })).stdout;
/** A client that still holds the descriptor of a tor that was ended may wait in vain; a visitor reloads. */
const open = (url: string): Promise<string> =>
  visit(url)
    .catch(() => visit(url))
    .catch(() => visit(url));

it('serves the address that another tor has served, beside one that is tor-only', async () => {
  const secret = nodeCrypto.ed25519ExpandedSecret();
  const hostname = `${onionAddress(nodeCrypto.ed25519Public(secret), nodeCrypto.sha3_256)}.onion`;
  const old = join(gateway.node.directory, 'old-tor');
  await mkdir(old, { mode: 0o700 });
  await writeFile(join(old, 'hs_ed25519_secret_key'), renderSecretKeyFile(secret), { mode: 0o600 });
  await writeFile(join(old, 'hostname'), `${hostname}\n`);
  const add = ['service', 'add', 'shop', '--port', '80', '--no-wait', '--onion-key', old];
  expect(await gateway.command(signal, ...add)).toContain(`Onion address: http://${hostname}`);
  await gateway.runShop('shop', 80);
  const areUp = (now: Status): boolean => isUpSince('shop')(now) && isUpSince('diary')(now);
  const status = await gateway.until('both proved', areUp, signal);
  expect(await open(`http://${hostname}`)).toContain('The corner shop');
  expect(await open(wayOf(status, 'diary')?.address ?? '')).toContain('The corner shop');
  expect(await pidOf('tor')).not.toBe(await pidOf('tor-only'));
  const events = await gateway.command(signal, '--json', 'events');
  expect(events).toContain('key.imported');
  expect(events).not.toContain(Buffer.from(secret).toString('base64'));
}, 90_000);

it('says that a tor hangs, ends it and serves the address again; the other one never stops', async () => {
  const address = wayOf(await gateway.status(signal), 'diary')?.address ?? '';
  const [hung, other] = [await pidOf('tor-only'), await pidOf('tor')];
  const stoppedAt = Date.now();
  await home('kill', '-STOP', hung);
  const published = (status: Status) =>
    wayOf(status, 'diary')?.conditions.find(({ type }) => type === 'Published');
  const silent = await gateway.until(
    'it was noticed',
    (now) => published(now)?.reason === 'TorSilent',
    signal,
  );
  expect(published(silent)?.message).toMatch(/has not answered for \d+ s/);
  expect(await open(wayOf(silent, 'shop')?.address ?? '')).toContain('The corner shop');
  // The next pass would come within a minute; the owner need not wait for it.
  await gateway.node.run(gateway.argv('up'), { signal, timeoutMs: 60_000, accept: [0, 1, 2, 3] });
  await gateway.until('the diary proved again', isUpSince('diary', stoppedAt), signal);
  expect(await pidOf('tor-only')).not.toBe(hung);
  expect(await pidOf('tor')).toBe(other);
  expect(await open(address)).toContain('The corner shop');
}, 120_000);
