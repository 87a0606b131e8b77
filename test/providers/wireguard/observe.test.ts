import { describe, expect, it } from 'vitest';
import { networkFor } from '../../../src/core/allocate.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import type { OperationResult } from '../../../src/core/operations.ts';
import { Secret } from '../../../src/core/secret.ts';
import { nodeCrypto } from '../../../src/system/crypto.ts';
import { encodeKey, toHex } from '../../../src/wire/wireguard.ts';
import { observe } from '../../../providers/wireguard/observe.ts';
import { presharedKeyName } from '../../../providers/wireguard/spec.ts';
import { unavailablePorts } from '../../support/unavailable-ports.ts';

const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const PEER_KEY = encodeKey(bytes(1));
const WORLD: OperationResult<'observe'> = {
  hub: { flows: [{ via: 'gwwg0', source: '10.64.8.2', address: '10.64.1.2', protocol: 'tcp', port: 80 }] },
  namespaces: [],
  entered: [],
  hostServices: [],
  wireguard: [
    {
      name: 'gwwg0',
      publicKey: encodeKey(nodeCrypto.curve25519Public(bytes(2))),
      listenPort: 51820,
      address: '10.64.8.1',
      endpoint: '11.2.0.2:51820',
      implementation: 'kernel',
      peers: [
        {
          publicKey: PEER_KEY,
          address: '10.64.8.2',
          presharedKeyHash: toHex(nodeCrypto.sha3_256(bytes(3))),
          latestHandshake: 0,
          received: 0,
          sent: 0,
        },
      ],
    },
  ],
};

/** What is observed of the interface and the peer when these keys are on disk. */
async function observeWith(keys: Readonly<Record<string, Uint8Array | GatewayError>>) {
  const read = (name: string) => {
    const found = keys[name];
    if (found instanceof GatewayError) return Promise.reject(found);
    return Promise.resolve(found === undefined ? undefined : new Secret(found));
  };
  const never = (): never => {
    throw new Error('observing changes no key');
  };
  const ports = unavailablePorts({
    crypto: nodeCrypto,
    keys: { read, ensure: never, put: never, remove: never },
    helper: { call: () => Promise.resolve(WORLD as never) },
  });
  const network = networkFor('gw', '10.64.0.0/20');
  return observe({ ports, network, signal: AbortSignal.timeout(1000) });
}

const INTERFACE = 'wireguard/interface';
const PEER = presharedKeyName(PEER_KEY);

describe('what runs, against the keys on disk', () => {
  it('is left alone when they agree, and says what each device is let to', async () => {
    const [own, peer] = await observeWith({ [INTERFACE]: bytes(2), [PEER]: bytes(3) });
    expect([own?.renew, peer?.renew]).toEqual([undefined, undefined]);
    expect(peer).toMatchObject({ key: `peer:${PEER_KEY}`, facts: { grants: '10.64.1.2:80' } });
  });

  it('is applied again when it runs with other keys', async () => {
    const [own, peer] = await observeWith({ [INTERFACE]: bytes(8), [PEER]: bytes(9) });
    expect(own?.renew).toBe('its key is not the one on disk');
    expect(peer?.renew).toBe('its preshared key is not the one on disk');
  });

  it('is not hidden by a key that cannot be read', async () => {
    const damaged = new GatewayError(`key ${PEER} is damaged`, { code: 'KeyCorrupt' });
    const [own, peer] = await observeWith({ [PEER]: damaged });
    expect(own?.renew).toBe('its key is not on disk');
    expect(peer?.renew).toBe(`key ${PEER} is damaged`);
  });
});
