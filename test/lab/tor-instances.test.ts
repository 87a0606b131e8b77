import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Status } from '../../src/core/status.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { onionAddress, renderSecretKeyFile } from '../../src/wire/onion.ts';
import { TorLab } from '../support/tor-lab.ts';

/** An onion that moved in, one that is tor-only in a process of its own, and a tor that hangs, seen by a visitor. */
const CONFIG = 'services:\n  diary: { port: 81, kind: http, privacy: tor-only, expose: { tor: {} } }\n';

let tor: TorLab;
const signal = AbortSignal.timeout(200_000);

beforeAll(async () => {
  tor = await TorLab.start({ name: 'tor-instances', config: CONFIG, shops: { diary: 81 }, signal });
}, 90_000);
afterAll(() => tor?.lab.stop());

it('serves the address that another tor has served, beside one that is tor-only', async () => {
  const secret = nodeCrypto.ed25519ExpandedSecret();
  const hostname = `${onionAddress(nodeCrypto.ed25519Public(secret), nodeCrypto.sha3_256)}.onion`;
  const old = join(tor.gateway.node.directory, 'old-tor');
  await mkdir(old, { mode: 0o700 });
  await writeFile(join(old, 'hs_ed25519_secret_key'), renderSecretKeyFile(secret), { mode: 0o600 });
  await writeFile(join(old, 'hostname'), `${hostname}\n`);
  const add = ['service', 'add', 'shop', '--port', '80', '--no-wait', '--onion-key', old];
  expect(await tor.gateway.command(signal, ...add)).toContain(`Onion address: http://${hostname}`);
  await tor.gateway.runShop('shop', 80);
  const areUp = (now: Status): boolean => tor.isUp('shop')(now) && tor.isUp('diary')(now);
  const status = await tor.gateway.until('both proved', areUp, signal);
  expect(await tor.open(`http://${hostname}`)).toContain('The corner shop');
  expect(await tor.open(tor.way(status, 'diary')?.address ?? '')).toContain('The corner shop');
  expect(await tor.pidOf('tor')).not.toBe(await tor.pidOf('tor-only'));
  const events = await tor.gateway.command(signal, '--json', 'events');
  expect(events).toContain('key.imported');
  expect(events).not.toContain(Buffer.from(secret).toString('base64'));
}, 90_000);

it('says that a tor hangs, ends it and serves the address again; the other one never stops', async () => {
  const address = tor.way(await tor.gateway.status(signal), 'diary')?.address ?? '';
  const [hung, other] = [await tor.pidOf('tor-only'), await tor.pidOf('tor')];
  const stoppedAt = Date.now();
  await tor.home('kill', '-STOP', hung);
  const published = (status: Status) =>
    tor.way(status, 'diary')?.conditions.find(({ type }) => type === 'Published');
  const silent = await tor.gateway.until(
    'it was noticed',
    (now) => published(now)?.reason === 'TorSilent',
    signal,
  );
  expect(published(silent)?.message).toMatch(/has not answered for \d+ s/);
  expect(await tor.open(tor.way(silent, 'shop')?.address ?? '')).toContain('The corner shop');
  // The next pass would come within a minute; the owner need not wait for it.
  await tor.gateway.node.run(tor.gateway.argv('up'), { signal, timeoutMs: 60_000, accept: [0, 1, 2, 3] });
  await tor.gateway.until('the diary proved again', tor.isUp('diary', stoppedAt), signal);
  expect(await tor.pidOf('tor-only')).not.toBe(hung);
  expect(await tor.pidOf('tor')).toBe(other);
  expect(await tor.open(address)).toContain('The corner shop');
}, 120_000);
