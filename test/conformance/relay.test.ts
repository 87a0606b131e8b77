import { relay } from '../../providers/relay/index.ts';
import { tunnelKeyName } from '../../src/core/relay.ts';
import { contractMachine } from '../support/contract-machine.ts';
import { memoryCarrier } from '../support/memory-carrier.ts';
import { partContract } from './part-contract.ts';

const KEY = 'BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const TUNNEL = `publicKey: "${KEY}", endpoints: ["11.1.0.2:51820"], address: 10.127.0.2, relayAddress: 10.127.0.1`;
const RELAYS = `relays: { vps: { address: "11.1.0.2:7443", fingerprint: ${'A'.repeat(43)}, home: "0123456789abcdef", tunnel: { ${TUNNEL} } } }`;
const node = (port: number): string =>
  `node: { port: ${port}, kind: tcp, expose: { relay: { port: 9735, domain: node.shop.test } } }`;
const SHOP = 'shop: { port: 80, kind: http, expose: { relay: { domain: pay.shop.test, access: devices } } }';

partContract({
  id: 'relay',
  folder: 'providers/relay',
  create: () =>
    contractMachine({
      open: () => relay,
      carrier: memoryCarrier,
      prepare: async ({ keys }) => {
        await keys.ensure(tunnelKeyName('vps'), 'curve25519');
      },
      stranger: async (machine) => {
        // The owner's own tunnel.
        await machine.sh('ip', 'link', 'add', 'wg-own', 'type', 'veth', 'peer', 'name', 'wg-far');
        const links = () => machine.sh('ip', '-br', 'link');
        return { intact: async () => (await links()).includes('wg-own') };
      },
    }),
  samples: {
    one: { config: `services: { ${node(9735)} }\n${RELAYS}` },
    changed: { config: `services: { ${node(9736)} }\n${RELAYS}` },
    two: { config: `services: { ${node(9735)}, ${SHOP} }\n${RELAYS}` },
  },
  identity: ['publicKey'],
});
