import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deviceRange } from '../../src/core/allocate.ts';
import { sortFlows } from '../../src/core/flows.ts';
import { formatIpv4 } from '../../src/core/inet.ts';
import type { Flow } from '../../src/core/operations.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine } from '../support/machine.ts';

const POOL = '10.64.0.0/16';
const SHOP = { address: '10.64.1.2', port: 8080 };
const NAS = { address: '10.64.1.4', port: 9000 };
const IN_HUB = ['nsenter', '--net=/run/netns/gw-hub', 'nft'] as const;

const DEVICES = Array.from({ length: 5000 }, (_, index) => formatIpv4(deviceRange(POOL).first + index));
const flowsTo = (to: { address: string; port: number }): Flow[] =>
  DEVICES.map((source) => ({ via: 'gwwg0', source, address: to.address, port: to.port, protocol: 'tcp' }));
const FLOWS = sortFlows([...flowsTo(SHOP), ...flowsTo(NAS)]);

let machine: Machine;
let gateway: Gateway;

beforeAll(async () => {
  // Where `nft` may not send more at once than anybody.
  machine = await startMachine({ isUser: true });
  gateway = await startGateway(machine, 'gw', POOL, 'fd12:3456:789a::/48');
  await gateway.apply({
    services: {
      shop: { ...SHOP, place: { type: 'namespace', name: 'shop' } },
      nas: { ...NAS, place: { type: 'host' } },
    },
    devices: DEVICES.map((address) => ({ publicKey: address, address, services: ['shop', 'nas'] })),
  });
  await gateway.call('hub.ensure', {});
});
afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});

const open = async (): Promise<Flow[] | undefined> => (await gateway.call('observe', {})).hub?.flows;

/** What `nft` tells of the sets while something is done. It listens, and has told all, when it tells of a mark of ours. */
async function changesWhile(task: () => Promise<unknown>): Promise<string[]> {
  const monitor = machine.start(...IN_HUB, '-n', 'monitor', 'elements');
  let told = '';
  monitor.stdout?.on('data', (chunk: Buffer) => (told += chunk.toString()));
  await machine.sh(...IN_HUB, 'add', 'table', 'inet', 'marks');
  await machine.sh(...IN_HUB, 'add', 'set', 'inet', 'marks', 'seen', '{ type ipv4_addr; }');
  const mark = async (address: string): Promise<string> => {
    await machine.sh(...IN_HUB, 'add', 'element', 'inet', 'marks', 'seen', `{ ${address} }`);
    await machine.sh(...IN_HUB, 'delete', 'element', 'inet', 'marks', 'seen', `{ ${address} }`);
    return told;
  };
  // Reads the whole ruleset first, and again whenever it was changed meanwhile.
  const patience = { timeout: 15_000, interval: 1000 };
  await expect.poll(() => mark('11.0.0.1'), patience).toContain('11.0.0.1');
  await task();
  await expect.poll(() => mark('11.0.0.2'), patience).toContain('11.0.0.2');
  monitor.kill();
  await once(monitor, 'exit');
  await machine.sh(...IN_HUB, 'delete', 'table', 'inet', 'marks');
  return told.split('\n').filter((line) => line.includes(' element ') && !line.includes(' marks '));
}

it('opens ten thousand paths, and changes one without touching the others', { timeout: 40_000 }, async () => {
  await gateway.call('flows.replace', { flows: FLOWS });
  expect(await open()).toEqual(FLOWS);

  const fewer = FLOWS.slice(1);
  const changes = await changesWhile(() => gateway.call('flows.replace', { flows: fewer }));
  expect(changes).toHaveLength(2);
  expect(changes.every((line) => line.startsWith('delete element inet gateway allowed'))).toBe(true);
  expect(await open()).toEqual(fewer);

  expect(await changesWhile(() => gateway.call('flows.replace', { flows: fewer }))).toEqual([]);
});

it('closes every path before it opens another, and what somebody else opened', async () => {
  const stranger = '{ "gwwg0" . 10.64.255.9 . 10.64.1.9 . tcp . 22 }';
  await machine.sh(...IN_HUB, 'add', 'element', 'inet', 'gateway', 'allowed', stranger);
  const [toShop, toNas] = [sortFlows(flowsTo(SHOP)), sortFlows(flowsTo(NAS))];
  await gateway.call('flows.replace', { flows: toShop });
  expect(await open()).toEqual(toShop);
  const changes = await changesWhile(() => gateway.call('flows.replace', { flows: toNas }));
  const verbs = changes.map((line) => line.split(' ')[0]);
  expect(verbs).toContain('add');
  expect(verbs.lastIndexOf('delete')).toBeLessThan(verbs.indexOf('add'));
  expect(await open()).toEqual(toNas);
  await gateway.call('flows.replace', { flows: [] });
  expect(await open()).toEqual([]);
}, 40_000);

it('changes a few without reading the others, also when they are so already', async () => {
  const before = sortFlows(flowsTo(SHOP));
  await gateway.call('flows.replace', { flows: before });
  const remove = before.slice(0, 2);
  const add = flowsTo(NAS).slice(0, 2);
  const after = sortFlows([...before.slice(2), ...add]);
  for (let time = 0; time < 2; time += 1) {
    await gateway.call('flows.change', { add, remove });
    expect(await open()).toEqual(after);
  }
  const stranger: Flow = {
    via: 'gwwg0',
    source: '10.64.250.9',
    address: SHOP.address,
    port: 22,
    protocol: 'tcp',
  };
  await expect(gateway.call('flows.change', { add: [stranger], remove: [] })).rejects.toMatchObject({
    code: 'HelperRefused',
  });
  await gateway.call('flows.replace', { flows: [] });
}, 40_000);
