import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deviceRange, interfaceAddress } from '../../src/core/allocate.ts';
import { formatIpv4 } from '../../src/core/inet.ts';
import { encodeKey } from '../../src/wire/wireguard.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { startMachine, type Machine } from '../support/machine.ts';

const NAME = 'gwwg0';
const POOL = '10.64.0.0/16';

let machine: Machine;
let gateway: Gateway;

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine, 'gw', POOL, 'fd12:3456:789a::/48');
});
afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});

const key = (): string => {
  const bytes = randomBytes(32);
  // As every public key of Curve25519.
  bytes[31] = (bytes[31] ?? 0) & 127;
  return encodeKey(bytes);
};

function makePeers(count: number) {
  const { first } = deviceRange(POOL);
  return Array.from({ length: count }, (_, index) => ({
    publicKey: key(),
    address: formatIpv4(first + index),
    presharedKey: key(),
  }));
}

/** What a start after a power cut asks for: the interface is new, and every device comes at once. */
it.each([1000, 10_000])('lets %i devices in at once, in seconds', { timeout: 60_000 }, async (count) => {
  const peers = makePeers(count);
  const devices = peers.map(({ publicKey, address }) => ({ publicKey, address }));
  await gateway.apply({
    devices: devices.map((device) => ({ ...device, services: [] })),
    ports: [51820],
  });
  await gateway.call('hub.ensure', {});
  await gateway.call('wireguard.remove', { name: NAME });
  await gateway.call('wireguard.ensure', {
    name: NAME,
    listenPort: 51820,
    privateKey: key(),
    address: interfaceAddress(POOL),
    endpoint: '11.2.0.1:51820',
  });
  const times: number[] = [];
  for (let round = 0; round < 2; round += 1) {
    const startedAt = performance.now();
    await gateway.call('wireguard.setPeers', { name: NAME, peers });
    times.push(Math.round(performance.now() - startedAt));
  }
  const startedAt = performance.now();
  const { wireguard } = await gateway.call('observe', {});
  const lookedMs = Math.round(performance.now() - startedAt);
  console.log(`${count} peers: set in ${times.join(' ms, again in ')} ms, observed in ${lookedMs} ms`);
  expect(
    wireguard[0]?.peers.map(({ publicKey, address }) => ({ publicKey, address })).sort(byAddress),
  ).toEqual(devices.sort(byAddress));
  expect(times[0]).toBeLessThan(15_000);
});

function byAddress(a: { readonly address: string }, b: { readonly address: string }): number {
  return a.address < b.address ? -1 : 1;
}
