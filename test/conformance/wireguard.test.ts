import { wireguard } from '../../providers/wireguard/index.ts';
import type { Device } from '../../src/core/service.ts';
import { Secret } from '../../src/core/secret.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { contractMachine } from '../support/contract-machine.ts';
import { partContract } from './part-contract.ts';

const device = (name: string, services: readonly string[]): Device => ({
  name,
  services,
  publicKey: Buffer.from(nodeCrypto.curve25519Public(nodeCrypto.curve25519Secret())).toString('base64'),
  addedAt: '2026-01-01T00:00:00.000Z',
});
const phone = device('phone', ['shop']);
const laptop = device('laptop', ['shop', 'wiki', 'printer']);
const provider = wireguard;
const config = (services: string): string =>
  `wireguard: { endpoint: "11.2.0.2:51820" }\nservices: { ${services} }`;

partContract({
  id: 'wireguard',
  folder: 'providers/wireguard',
  create: () =>
    contractMachine({
      open: () => provider,
      prepare: async ({ keys }) => {
        for (const { publicKey } of [phone, laptop]) {
          const name = provider.presharedKeyName?.(publicKey ?? '') ?? '';
          await keys.put(name, 'preshared', new Secret(nodeCrypto.random(32)));
        }
      },
      stranger: async (machine) => {
        // Somebody else's interface, named as close to ours as it may be.
        await machine.sh('ip', 'link', 'add', 'gwwgx', 'type', 'veth', 'peer', 'name', 'gwwgy');
        const links = () => machine.sh('ip', '-br', 'link');
        return { intact: async () => (await links()).includes('gwwgx') };
      },
    }),
  samples: {
    one: { config: config('shop: { port: 80, kind: http, expose: { wireguard: {} } }'), devices: [phone] },
    changed: {
      config: config('shop: { port: 8080, kind: http, expose: { wireguard: {} } }'),
      devices: [phone],
    },
    two: {
      config: config(
        // One in a namespace, one on the host, one on another machine, which needs the edge too.
        'shop: { port: 80, kind: http, expose: { wireguard: {} } }, wiki: { namespace: host, port: 81, expose: { wireguard: {} } }, ' +
          'printer: { target: "192.168.1.20:631", expose: { wireguard: {} } }',
      ),
      devices: [phone, laptop],
    },
  },
  identity: ['publicKey', 'address'],
});
