import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NODE_INSIDE, parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import { NAT_BEHAVIOURS, type NatBehaviour as Flavour } from '../../src/lab/topology.ts';
import { waitFor } from '../../src/lab/waiting.ts';
import type { NatBehaviour } from '../../src/system/stun.ts';
import { outputOf } from '../support/lab.ts';

/** A home behind a router of each kind, and one relay with two addresses, which answers STUN (RFC 5780). */
const signal = AbortSignal.timeout(100_000);
const topology = parseTopology(
  {
    nodes: {
      relay: {},
      ...Object.fromEntries(
        NAT_BEHAVIOURS.flatMap((behaviour, index) => [
          [`home-${index}`, { defaultRoute: '192.168.50.1' }],
          [`router-${index}`, { kind: 'router', nat: { outside: 'uplink', behaviour } }],
        ]),
      ),
    },
    networks: {
      uplink: {
        relay: ['11.2.0.1/24', '11.2.0.2/24'],
        ...Object.fromEntries(
          NAT_BEHAVIOURS.map((_, index) => [`router-${index}`, `11.2.0.${index + 10}/24`]),
        ),
      },
      ...Object.fromEntries(
        NAT_BEHAVIOURS.map((_, index) => [
          `lan-${index}`,
          { [`router-${index}`]: '192.168.50.1/24', [`home-${index}`]: '192.168.50.10/24' },
        ]),
      ),
    },
  },
  'routers',
);

const ASK = `import('/opt/gateway/dist/src/system/stun.js').then(async ({ natBehaviour }) => {
  const found = await natBehaviour({ host: '11.2.0.1', port: 3478 }, AbortSignal.timeout(25000));
  console.log(JSON.stringify(found ?? null));
});`;

const [INDEPENDENT, BY_ADDRESS, BY_BOTH] = [
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
] as const;
const EXPECTED: Record<Flavour, Omit<NatBehaviour, 'mapped'>> = {
  'endpoint-independent': { mapping: INDEPENDENT, filtering: BY_BOTH, isPortKept: true },
  symmetric: { mapping: BY_BOTH, filtering: BY_BOTH, isPortKept: false },
  'full-cone': { mapping: INDEPENDENT, filtering: INDEPENDENT, isPortKept: true },
  'address-restricted': { mapping: INDEPENDENT, filtering: BY_ADDRESS, isPortKept: true },
  'port-block': { mapping: INDEPENDENT, filtering: BY_BOTH, isPortKept: false },
  'symmetric-port-block': { mapping: BY_BOTH, filtering: BY_BOTH, isPortKept: false },
};

let lab: Lab;
let found: readonly NatBehaviour[];

beforeAll(async () => {
  lab = await startLab(topology, { signal });
  const node = lab.node('relay');
  const listen = [
    '--listen',
    '11.2.0.1:7443',
    '--listen',
    '11.2.0.2:7443',
    '--state',
    join(node.directory, 'relay'),
  ];
  const argv = ['/opt/gateway/bin/gateway', 'relay', 'up', '--probe-only', ...listen] as const;
  await node.detach([...argv], { logFile: join(node.directory, 'relay.log') });
  const what = 'the relay answers STUN';
  const isOpen = async (): Promise<true | undefined> =>
    (await outputOf(lab, 'relay', ['ss', '-Hlnu', 'sport = :3479'])).includes('11.2.0.2:3479') || undefined;
  await waitFor(isOpen, { signal, timeoutMs: 20_000, what });
  // Most of the time is waiting for packets that must not come.
  const asked = NAT_BEHAVIOURS.map((_, index) =>
    outputOf(lab, `home-${index}`, [NODE_INSIDE, '-e', ASK], signal),
  );
  found = (await Promise.all(asked)).map((text) => JSON.parse(text) as NatBehaviour);
}, 90_000);
afterAll(() => lab?.stop());

it.each(NAT_BEHAVIOURS.map((flavour, index) => [flavour, index] as const))(
  'a router that is %s is found to be so',
  (flavour, index) => {
    expect(found[index]).toMatchObject(EXPECTED[flavour]);
    expect(found[index]?.mapped.host).toBe(`11.2.0.${index + 10}`);
  },
);
