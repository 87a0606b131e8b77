import { expect, it } from 'vitest';
import { clearnet } from '../../providers/clearnet/index.ts';
import { relay } from '../../providers/relay/index.ts';
import { wireguard } from '../../providers/wireguard/index.ts';
import type { Provider } from '../../src/core/contract.ts';
import type { Keys } from '../../src/core/ports.ts';
import { Secret } from '../../src/core/secret.ts';
import { makeKeys, publicKeysOf } from '../../src/daemon/device-keys.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';

const PROVIDERS = [wireguard, clearnet, relay] as unknown as readonly Provider[];
const authority = new Secret(nodeCrypto.p256Secret());
const keys = { ensure: () => Promise.resolve(authority) } as unknown as Keys;

it('makes one certificate for all ways in that ask for one, which is handed out once', async () => {
  const fresh = await makeKeys('phone', PROVIDERS, {}, { crypto: nodeCrypto, keys, now: Date.now });
  const [tunnel, home, rented] = fresh;
  expect(home?.publicKey).toMatch(/^[0-9a-f]{64}$/);
  expect(rented?.publicKey).toBe(home?.publicKey);
  expect([tunnel, home, rented].map((each) => each?.issued !== undefined)).toEqual([false, true, false]);
  expect(publicKeysOf(fresh)).toEqual({ publicKey: tunnel?.publicKey, certificate: home?.publicKey });
});
