import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { NODE_INSIDE, type Lab } from '../../src/lab/index.ts';
import { outputOf, withLab } from '../support/lab.ts';
import { nestedRouters, OUTSIDE } from '../support/nested-routers.ts';
import type { MapperSaid, MapperStep } from '../support/mapper-main.ts';

/** Routers behind routers: each of them, asked with the owner's yes, lets the port in to the one before it. */
vi.setConfig({ testTimeout: 40_000 });

async function mapper(lab: Lab, ...steps: MapperStep[]): Promise<MapperSaid> {
  const argv = [
    '/opt/gateway/test/support/mapper-main.ts',
    join(lab.node('home').directory, 'mappings.json'),
    JSON.stringify(steps),
  ];
  return JSON.parse(await outputOf(lab, 'home', [NODE_INSIDE, ...argv])) as MapperSaid;
}

const LISTEN = `require('node:net').createServer((socket) => socket.end('home')).listen(8443);`;
const VISIT = `const socket = require('node:net').connect(443, '${OUTSIDE}');
  socket.setTimeout(1500, () => process.exit());
  socket.on('data', (text) => process.stdout.write(text)).on('error', () => process.exit()).on('close', () => process.exit());`;
const TLS = { transport: 'tcp', port: 8443, externalPort: 443 } as const;

describe('a port through several routers', () => {
  it.each([
    ['two deep', [['pcp'], ['upnp']]],
    ['three deep', [['nat-pmp'], ['pcp'], ['nat-pmp']]],
  ] as const)('opens with the yes of the owner, and closes again: %s', async (_name, routers) => {
    await withLab(nestedRouters(routers), async (lab, signal) => {
      // One that speaks UPnP alone says so at once: nobody waits for the rest.
      for (const [index, protocols] of routers.entries()) {
        const argv = ['nft', 'flush', 'chain', 'inet', 'only', 'input'] as const;
        if (protocols[0] === 'upnp') await lab.node(`router${index}`).run(argv, { signal });
      }
      const visit = (): Promise<string> => outputOf(lab, 'outside', [NODE_INSIDE, '-e', VISIT]);
      await lab.node('home').detach([NODE_INSIDE, '-e', LISTEN], {
        logFile: join(lab.node('home').directory, 'log'),
      });
      await mapper(lab, { keep: TLS });
      expect(await visit()).toBe('');
      const opened = await mapper(lab, { through: 'open' });
      expect(opened.reports.at(-1)).toMatchObject([
        {
          state: 'held',
          externalAddress: OUTSIDE,
          externalPort: 443,
          problem: null,
          through: routers.slice(1).map(([protocol], index) => ({
            state: 'held',
            protocol,
            router: `192.168.${49 - index}.1`,
          })),
        },
      ]);
      expect(await visit()).toBe('home');
      await mapper(lab, { through: 'close' });
      expect(await visit()).toBe('');
      for (const [index] of routers.entries()) {
        const rules = await outputOf(lab, `router${index}`, ['nft', 'list', 'table', 'inet', 'upnp']);
        expect(rules.includes('dnat'), `router ${index}`).toBe(index === 0);
      }
    });
  });
});
