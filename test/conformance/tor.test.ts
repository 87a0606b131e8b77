import { tor } from '../../providers/tor/index.ts';
import { contractMachine } from '../support/contract-machine.ts';
import { partContract } from './part-contract.ts';

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
    one: { config: 'services: { shop: { port: 80, kind: http, expose: { tor: {} } } }' },
    changed: { config: 'services: { shop: { port: 8080, kind: http, expose: { tor: {} } } }' },
    two: {
      config:
        'services: { shop: { port: 80, kind: http, expose: { tor: {} } }, wiki: { port: 81, expose: { tor: {} } } }',
    },
  },
  identity: ['address'],
});
