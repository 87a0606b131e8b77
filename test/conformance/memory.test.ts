import { nodeCrypto } from '../../src/system/crypto.ts';
import { createKeys, memoryRegistry } from '../../src/system/keys.ts';
import { memoryProvider, memoryWorld } from '../support/memory-provider.ts';
import { unavailablePorts } from '../support/unavailable-ports.ts';
import { partContract } from './part-contract.ts';

/** The suite against the reference provider: it proves the suite, and shows how small a provider can be. */
partContract({
  id: 'memory',
  create: () => {
    const machine = memoryWorld();
    const keys = createKeys({ directory: '/nonexistent', registry: memoryRegistry(), crypto: nodeCrypto });
    return Promise.resolve({
      ports: unavailablePorts({ keys, crypto: nodeCrypto }),
      parts: [],
      permit: () => Promise.resolve(),
      open: () => memoryProvider(machine),
      plantStranger: () => {
        machine.strangers.add('somebody');
        return Promise.resolve({ intact: () => Promise.resolve(machine.strangers.has('somebody')) });
      },
      secrets: () => Promise.resolve([]),
      close: () => Promise.resolve(),
    });
  },
  samples: {
    one: { config: 'services: { shop: { port: 80, kind: http, expose: { memory: {} } } }' },
    changed: { config: 'services: { shop: { port: 8080, kind: http, expose: { memory: {} } } }' },
    two: {
      config:
        'services: { shop: { port: 80, kind: http, expose: { memory: {} } }, wiki: { port: 81, expose: { memory: {} } } }',
    },
  },
  identity: ['open'],
});
