import { describe, expect, it } from 'vitest';
import type { MappingProtocol } from '../../src/core/mapping.ts';
import { NODE_INSIDE, parseTopology, type Lab, type Topology } from '../../src/lab/index.ts';
import { outputOf, withLab } from '../support/lab.ts';
import { udpThrough } from '../support/udp-through.ts';

/** A home behind a router that maps ports when asked, and a host outside. */
function behind(protocols: readonly MappingProtocol[]): Topology {
  return parseTopology(
    {
      nodes: {
        home: { defaultRoute: '192.168.50.1' },
        router: {
          kind: 'router',
          nat: { outside: 'uplink' },
          services: [{ type: 'port-mapping', inside: 'lan', protocols: [...protocols] }],
        },
        outside: {},
      },
      networks: {
        lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
        uplink: { router: '11.2.0.2/24', outside: '11.2.0.1/24' },
      },
    },
    protocols.join(' '),
  );
}

/** Asks by one protocol from home, with our own driver as it is installed there. */
const ASK = `const [protocol] = process.argv.slice(1);
const { PcpDriver } = await import('/opt/gateway/dist/src/system/mapping/pcp.js');
const { NatPmpDriver } = await import('/opt/gateway/dist/src/system/mapping/nat-pmp.js');
const driver = protocol === 'pcp' ? new PcpDriver('192.168.50.1') : new NatPmpDriver('192.168.50.1');
const request = { transport: 'udp', internalAddress: '192.168.50.10', internalPort: 51820, externalPort: 51820,
  lifetimeSeconds: 3600, description: 'lab', nonce: '0102030405060708090a0b0c' };
const signal = AbortSignal.timeout(10000);
try {
  const lease = await driver.map(request, signal);
  const check = await driver.check(lease, signal);
  if (process.argv.includes('unmap')) await driver.unmap(lease, signal);
  console.log(JSON.stringify({ ...lease, check }));
} catch (error) { console.log(error.refusal ?? error.message); }`;

function ask(lab: Lab, protocol: string, ...more: string[]): Promise<string> {
  return outputOf(lab, 'home', [NODE_INSIDE, '--input-type=module', '-e', ASK, protocol, ...more]);
}

describe('a router with miniupnpd', () => {
  it('maps a port by PCP and NAT-PMP, lets packets from outside through, and stops when told', async () => {
    await withLab(behind(['pcp', 'nat-pmp', 'upnp']), async (lab) => {
      const { heard, send } = await udpThrough(lab);
      await send('too early');
      for (const protocol of ['pcp', 'nat-pmp']) {
        const lease = JSON.parse(await ask(lab, protocol)) as Record<string, unknown>;
        expect(lease).toMatchObject({ externalPort: 51_820, externalAddress: '11.2.0.2', protocol });
        expect(lease['check']).toMatchObject({ mark: { epochSeconds: expect.any(Number) } });
        await send(protocol);
        await expect.poll(heard, { timeout: 5000 }).toContain(protocol);
        await ask(lab, protocol, 'unmap');
        await send('too late');
      }
      expect(await heard()).not.toContain('too');
    });
  });

  it.each([
    ['pcp', 'nat-pmp'],
    ['nat-pmp', 'pcp'],
  ] as const)('speaks %s only, when it is told to', async (only, other) => {
    await withLab(behind([only]), async (lab) => {
      expect(JSON.parse(await ask(lab, only))).toMatchObject({ externalPort: 51_820 });
      expect(await ask(lab, other)).toBe('silent');
    });
  });
});
