import { writeFile } from 'node:fs/promises';
import { clearnet } from '../../providers/clearnet/index.ts';
import { contractMachine } from '../support/contract-machine.ts';
import { partContract } from './part-contract.ts';

const page = (name: string, port: number, domain: string, access = 'anyone'): string =>
  `${name}: { port: ${port}, kind: http, expose: { clearnet: { domain: ${domain}, access: ${access} } } }`;

partContract({
  id: 'clearnet',
  folder: 'providers/clearnet',
  create: () =>
    contractMachine({
      open: () => clearnet,
      stranger: async (machine) => {
        // Somebody's own HAProxy, as a distribution starts it.
        const config =
          'defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\nlisten own\n bind :8081\n';
        await machine.sh('mkdir', '-p', '/run/own-haproxy');
        await writeFile(machine.outside('/run/own-haproxy/haproxy.cfg'), config);
        machine.start('haproxy', '-db', '-f', '/run/own-haproxy/haproxy.cfg');
        const running = () => machine.sh('pgrep', '-c', '-f', 'own-haproxy');
        return { intact: async () => Number(await running()) === 1 };
      },
    }),
  samples: {
    one: { config: `services: { ${page('shop', 80, 'pay.shop.test')} }` },
    changed: { config: `services: { ${page('shop', 8080, 'pay.shop.test')} }` },
    two: {
      config: `services: { ${page('shop', 80, 'pay.shop.test')}, ${page('wiki', 81, 'wiki.shop.test', 'devices')} }`,
    },
  },
  identity: ['domain'],
});
