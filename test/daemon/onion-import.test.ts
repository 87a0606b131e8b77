import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { OnionImport } from '../../src/core/control.ts';
import type { Keys } from '../../src/core/ports.ts';
import { importOnionKey } from '../../src/daemon/onion-import.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { createKeys, memoryRegistry } from '../../src/system/keys.ts';
import { onionAddress } from '../../src/wire/onion.ts';

let directory: string;
let keys: Keys;
const recorded: string[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-import-'));
  keys = createKeys({ directory, registry: memoryRegistry(), crypto: nodeCrypto });
  recorded.length = 0;
});
afterEach(() => rm(directory, { recursive: true }));

function foreign(): OnionImport {
  const secret = nodeCrypto.ed25519ExpandedSecret();
  const address = onionAddress(nodeCrypto.ed25519Public(secret), nodeCrypto.sha3_256);
  return { secretKey: Buffer.from(secret).toString('base64'), hostname: `${address}.onion` };
}
const take = (service: string, key: OnionImport) =>
  importOnionKey({ keys, crypto: nodeCrypto }, (_type, message) => void recorded.push(message), service, key);

it('keeps the key for the service that is about to be exposed, and says so without it', async () => {
  const key = foreign();
  expect(await take('shop', key)).toEqual({ service: 'shop', hostname: key.hostname });
  const kept = await keys.ensure('tor/shop', 'ed25519-expanded');
  expect(Buffer.from(kept.reveal()).toString('base64')).toBe(key.secretKey);
  expect(recorded.join()).toContain(key.hostname);
  expect(recorded.join()).not.toContain(key.secretKey);
});

it('is content when it has that key already: an import that was cut short is repeated', async () => {
  const key = foreign();
  await take('shop', key);
  await take('shop', key);
  expect(recorded).toHaveLength(1);
});

it('never replaces a key, names the address that stays, and says what to do', async () => {
  const [first, second] = [foreign(), foreign()];
  await take('shop', first);
  await expect(take('shop', second)).rejects.toMatchObject({
    code: 'AlreadyExists',
    message: expect.stringContaining(first.hostname),
    hint: expect.stringMatching(/another name/),
  });
  const kept = await keys.read('tor/shop', 'ed25519-expanded');
  expect(Buffer.from(kept?.reveal() ?? []).toString('base64')).toBe(first.secretKey);
});

it('refuses a key that does not give its address', async () => {
  const mixed = { ...foreign(), hostname: foreign().hostname };
  await expect(take('shop', mixed)).rejects.toMatchObject({ code: 'KeyCorrupt' });
  expect(await keys.read('tor/shop', 'ed25519-expanded')).toBeUndefined();
});
