import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { NODE_INSIDE, parseTopology, type Lab } from '../../src/lab/index.ts';
import { outputOf, withLab } from '../support/lab.ts';
import type { MapperSaid, MapperStep } from '../support/mapper-main.ts';

/** Web ports: outside 80 and 443, at home two that need no privileges. Another router for each protocol. */
vi.setConfig({ testTimeout: 40_000 });

const topologyOf = (protocol: string) =>
  parseTopology(
    {
      nodes: {
        home: { defaultRoute: '192.168.50.1' },
        router: {
          kind: 'router',
          nat: { outside: 'uplink' },
          services: [{ type: 'port-mapping', inside: 'lan', protocols: [protocol] }],
        },
        outside: {},
      },
      networks: {
        lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
        uplink: { router: '11.2.0.2/24', outside: '11.2.0.1/24' },
      },
    },
    protocol,
  );

const WEB = { transport: 'tcp', port: 8080, externalPort: 80 } as const;
const TLS = { transport: 'tcp', port: 8443, externalPort: 443 } as const;

async function mapper(lab: Lab, ...steps: MapperStep[]): Promise<MapperSaid> {
  const argv = [
    '/opt/gateway/test/support/mapper-main.ts',
    join(lab.node('home').directory, 'mappings.json'),
    JSON.stringify(steps),
  ];
  return JSON.parse(await outputOf(lab, 'home', [NODE_INSIDE, ...argv])) as MapperSaid;
}

/** Each port at home says which one it is. */
const LISTEN = `for (const port of [8080, 8443])
  require('node:net').createServer((socket) => socket.end('home ' + port)).listen(port);`;
const VISIT = `const socket = require('node:net').connect(+process.argv[1], '11.2.0.2');
  socket.setTimeout(1500, () => process.exit());
  socket.on('data', (text) => process.stdout.write(text)).on('error', () => process.exit()).on('close', () => process.exit());`;

it.each(['pcp', 'nat-pmp', 'upnp'] as const)(
  'opens TCP 80 and 443 outside for other ports at home, by %s',
  async (protocol) => {
    await withLab(topologyOf(protocol), async (lab) => {
      const visit = (port: number): Promise<string> =>
        outputOf(lab, 'outside', [NODE_INSIDE, '-e', VISIT, String(port)]);
      await lab.node('home').detach([NODE_INSIDE, '-e', LISTEN], {
        logFile: join(lab.node('home').directory, 'log'),
      });
      const { reports } = await mapper(lab, { keep: WEB }, { keep: TLS });
      const outside = { state: 'held', protocol, externalAddress: '11.2.0.2', problem: null };
      expect(reports.at(-1)).toMatchObject([
        { ...outside, transport: 'tcp', port: 8080, externalPort: 80 },
        { ...outside, transport: 'tcp', port: 8443, externalPort: 443 },
      ]);
      expect([await visit(80), await visit(443)]).toEqual(['home 8080', 'home 8443']);

      // Another port outside is another mapping: the one before it goes.
      const moved = await mapper(lab, { keep: { ...TLS, externalPort: 8443 } }, { release: WEB });
      expect(moved.reports.at(-1)).toMatchObject([{ ...outside, port: 8443, externalPort: 8443 }]);
      expect(await visit(8443)).toBe('home 8443');
      expect([await visit(80), await visit(443)]).toEqual(['', '']);
    });
  },
);
