import { tor } from '../../providers/tor/index.ts';
import type { Device } from '../../src/core/service.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { encodeBase32 } from '../../src/wire/onion.ts';
import { contractMachine } from '../support/contract-machine.ts';
import { partContract } from './part-contract.ts';

const device = (name: string): Device => ({
  name,
  services: ['shop'],
  onionKey: encodeBase32(nodeCrypto.curve25519Public(nodeCrypto.curve25519Secret())).toUpperCase(),
  addedAt: '2026-01-01T00:00:00.000Z',
});
const [phone, laptop] = [device('phone'), device('laptop')];

partContract({
  id: 'tor',
  folder: 'providers/tor',
  create: () =>
    contractMachine({
      open: () => tor,
      stranger: async (machine) => {
        // Another tor on the same machine, as a distribution starts it.
        await machine.sh('mkdir', '-p', '/run/other-tor');
        machine.start(
          'tor',
          '--DataDirectory',
          '/run/other-tor',
          '--SocksPort',
          '0',
          '--quiet',
          '--DisableNetwork',
          '1',
        );
        const running = () => machine.sh('pgrep', '-c', '-f', 'DataDirectory /run/other-tor');
        return { intact: async () => Number(await running()) === 1 };
      },
    }),
  samples: {
    one: { config: 'services: { shop: { port: 80, kind: lnd, expose: { tor: {} } } }', devices: [phone] },
    changed: {
      config: 'services: { shop: { port: 8080, kind: lnd, expose: { tor: {} } } }',
      devices: [phone],
    },
    two: {
      config:
        'services: { shop: { port: 80, kind: lnd, expose: { tor: {} } }, wiki: { port: 81, expose: { tor: {} } } }',
      devices: [phone, laptop],
    },
  },
  identity: ['address'],
});
