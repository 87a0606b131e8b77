import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PortsReport } from '../../src/core/mapper.ts';
import type { MappingProtocol } from '../../src/core/mapping.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Phone } from '../../src/lab/actors/phone.ts';
import { parseTopology, startLab, type Lab, type Topology } from '../../src/lab/index.ts';
import { Owner } from './owner.ts';

interface MoreOfIt {
  readonly longestLease?: number;
  /** As a topology is written down. */
  readonly nodes?: Readonly<Record<string, unknown>>;
  readonly networks?: Readonly<Record<string, unknown>>;
}

/** A home behind a router that opens ports when it is asked, a phone behind a carrier's NAT; nothing is forwarded by hand. */
export function mappingTopology(
  protocols: readonly MappingProtocol[],
  { nodes = {}, networks = {}, ...router }: MoreOfIt = {},
): Topology {
  return parseTopology(
    {
      nodes: {
        core: { kind: 'router' },
        router: {
          kind: 'router',
          defaultRoute: '11.2.0.1',
          nat: { outside: 'uplink' },
          services: [{ type: 'port-mapping', inside: 'lan', protocols: [...protocols], ...router }],
        },
        home: { defaultRoute: '192.168.50.1' },
        carrier: { kind: 'router', defaultRoute: '11.3.0.1', nat: { outside: 'trunk' } },
        phone: { defaultRoute: '100.65.0.1' },
        ...nodes,
      },
      networks: {
        uplink: { core: '11.2.0.1/24', router: '11.2.0.2/24' },
        lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
        trunk: { core: '11.3.0.1/24', carrier: '11.3.0.2/24' },
        mobile: { carrier: '100.65.0.1/16', phone: '100.65.0.2/16' },
        ...networks,
      },
    },
    'mapping',
  );
}

export interface MappingHome {
  readonly lab: Lab;
  readonly owner: Owner;
  readonly phone: Phone;
  /** The shop, through the tunnel. */
  readonly url: string;
  ports(): Promise<PortsReport>;
  /** Adds the phone, and has it scan its code. */
  enrol(): Promise<string>;
  /** Seconds until the phone, which is tried again and again, gets the shop's page. */
  served(timeoutSeconds?: number): Promise<number>;
}

/** A gateway with a shop over WireGuard and no word about an endpoint. `ready` comes before the gateway starts. */
export async function startMappingHome(
  protocols: readonly MappingProtocol[],
  signal: AbortSignal,
  ready: (lab: Lab) => Promise<void> = () => Promise.resolve(),
  topology: Topology = mappingTopology(protocols),
): Promise<MappingHome> {
  const lab = await startLab(topology, { signal });
  const owner = new Owner(await LabGateway.prepare(lab, 'home', undefined), signal);
  const phone = new Phone(lab.node('phone'));
  const url = 'http://10.64.1.2';
  await ready(lab);
  await owner.type('up');
  await owner.type(
    'service',
    'add',
    'shop',
    '--port',
    '80',
    '--kind',
    'http',
    '--no-tor',
    '--via',
    'wireguard',
  );
  await owner.gateway.runShop('shop', 80);
  return {
    lab,
    owner,
    phone,
    url,
    ports: () => owner.json<PortsReport>('ports'),
    enrol: async () => {
      const png = join(lab.directory, 'phone.png');
      await rm(png, { force: true });
      const added = await owner.type(
        'device',
        'add',
        'phone',
        '--service',
        'shop',
        '--no-wait',
        '--png',
        png,
      );
      if (added.exitCode !== 0) throw new Error(added.stderr);
      return phone.scan(png, signal);
    },
    served: async (timeoutSeconds = 60) => {
      const began = performance.now();
      for (;;) {
        const seconds = (performance.now() - began) / 1000;
        try {
          await phone.open(url, signal, 2);
          return (performance.now() - began) / 1000;
        } catch (error) {
          if (seconds > timeoutSeconds || signal.aborted) throw error;
        }
      }
    },
  };
}
