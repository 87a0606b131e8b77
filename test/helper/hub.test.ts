import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Flow } from '../../src/core/operations.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine } from '../support/machine.ts';
import { dial, serve, talk } from '../support/traffic.ts';

const SHOP = { namespace: 'shop', address: '10.64.1.2', port: 8080 };
const EVIL = { namespace: 'evil', address: '10.64.1.3', port: 8081 };
const NAS = { address: '10.64.1.4', port: 9000 };
const PHONE = '10.64.8.2';

let machine: Machine;
let gateway: Gateway;

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
  await gateway.apply({
    services: {
      shop: { address: SHOP.address, port: SHOP.port, place: { type: 'namespace', name: 'shop' } },
      evil: { address: EVIL.address, port: EVIL.port, place: { type: 'namespace', name: 'evil' } },
      nas: { ...NAS, place: { type: 'host' } },
    },
    devices: [{ publicKey: 'unused', address: PHONE, services: ['shop', 'nas'] }],
  });
  await gateway.call('hub.ensure', {});
  await gateway.call('namespace.ensure', { service: 'shop', spec: SHOP });
  await gateway.call('namespace.ensure', { service: 'evil', spec: EVIL });
  await gateway.call('hostService.ensure', { service: 'nas', spec: { address: NAS.address } });
  await serve(machine, 'gw-shop', 'shop', SHOP.port);
  await serve(machine, 'gw-evil', 'evil', EVIL.port);
  await serve(machine, undefined, 'nas', NAS.port);
  await addPhone();
  // The neighbour is root in its namespace: its own wall does not hold it back, only the hub does.
  await machine.sh('nsenter', '--net=/run/netns/gw-evil', 'nft', 'flush', 'ruleset');
  await gateway.call('flows.replace', { flows: FLOWS });
});

afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});

const flow = (via: string, source: string, to: { address: string; port: number }): Flow => {
  return { via, source, address: to.address, port: to.port, protocol: 'tcp' };
};
const FLOWS: Flow[] = [
  flow('gwwg0', PHONE, SHOP),
  flow('gwwg0', PHONE, NAS),
  flow('host', '10.64.0.3', SHOP),
];

/** A device, with a veth in the place of WireGuard. */
async function addPhone(): Promise<void> {
  await machine.sh('ip', 'netns', 'add', 'phone');
  await machine.sh(
    'ip',
    '-n',
    'gw-hub',
    'link',
    'add',
    'gwwg0',
    'up',
    'type',
    'veth',
    'peer',
    'name',
    'wg',
    'netns',
    'phone',
  );
  await machine.sh('ip', '-n', 'gw-hub', 'route', 'add', '10.64.8.0/21', 'dev', 'gwwg0');
  await machine.sh('ip', '-n', 'phone', 'addr', 'add', `${PHONE}/32`, 'dev', 'wg');
  await machine.sh('ip', '-n', 'phone', 'addr', 'add', '10.64.8.3/32', 'dev', 'wg');
  await machine.sh('ip', '-n', 'phone', 'link', 'set', 'wg', 'up');
  await machine.sh(
    'ip',
    '-n',
    'phone',
    'route',
    'add',
    '10.64.0.0/20',
    'via',
    '10.64.0.1',
    'dev',
    'wg',
    'onlink',
    'src',
    PHONE,
  );
}

const fromTor = (): Promise<string> =>
  dial(machine, undefined, { from: '10.64.0.3', host: SHOP.address, port: SHOP.port });
const fromEdge = (): Promise<string> =>
  dial(machine, undefined, { from: '10.64.0.2', host: SHOP.address, port: SHOP.port });
const fromPhone = (host: string, port: number, from = PHONE): Promise<string> =>
  dial(machine, 'phone', { from, host, port });

it('lets the declared paths through, and services see who comes', async () => {
  expect(await fromTor()).toBe('shop sees 10.64.0.3');
  expect(await fromPhone(SHOP.address, SHOP.port)).toBe(`shop sees ${PHONE}`);
  expect(await fromPhone(NAS.address, NAS.port)).toBe(`nas sees ${PHONE}`);
});

it('drops another source, another port and another service', async () => {
  expect(await fromEdge()).toBe('nothing');
  expect(await fromPhone(EVIL.address, EVIL.port)).toBe('nothing');
  expect(await fromPhone(NAS.address, 22)).toBe('nothing');
  expect(await fromPhone(SHOP.address, SHOP.port, '10.64.8.3')).toBe('nothing');
});

it('gives a neighbour nothing, not even with the address of another', async () => {
  expect(await dial(machine, 'gw-evil', { host: SHOP.address, port: SHOP.port })).toBe('nothing');
  expect(await dial(machine, 'gw-evil', { host: NAS.address, port: NAS.port })).toBe('nothing');
  expect(await dial(machine, 'gw-evil', { host: '10.64.0.2', port: NAS.port })).toBe('nothing');
  await machine.sh('ip', '-n', 'gw-evil', 'addr', 'add', `${SHOP.address}/32`, 'dev', 'eth0');
  await machine.sh('ip', '-n', 'gw-evil', 'addr', 'add', '10.64.0.3/32', 'dev', 'eth0');
  expect(await fromTor()).toBe('shop sees 10.64.0.3');
  await machine.sh('ip', '-n', 'gw-evil', 'addr', 'del', `${SHOP.address}/32`, 'dev', 'eth0');
  expect(await dial(machine, 'gw-evil', { from: '10.64.0.3', host: SHOP.address, port: SHOP.port })).toBe(
    'nothing',
  );
  await machine.sh('ip', '-n', 'gw-evil', 'addr', 'del', '10.64.0.3/32', 'dev', 'eth0');
});

it('keeps a neighbour out of the open connections of another', async () => {
  const connection = talk(machine, {
    from: '10.64.0.3',
    fromPort: 5555,
    host: SHOP.address,
    port: SHOP.port,
  });
  expect(await connection.next()).toBe('alive');
  const count =
    'table inet seen { chain in { type filter hook prerouting priority 0; tcp dport 5555 tcp flags syn counter; }; }';
  await machine.sh('nft', count);
  await machine.sh('ip', '-n', 'gw-evil', 'addr', 'add', `${SHOP.address}/32`, 'dev', 'eth0');
  // It has the addresses and ports of an answer of the shop.
  const forged = { from: SHOP.address, fromPort: SHOP.port, host: '10.64.0.3', port: 5555 };
  expect(await dial(machine, 'gw-evil', forged)).toBe('nothing');
  expect(await machine.sh('nft', 'list', 'table', 'inet', 'seen')).toContain('counter packets 0 ');
  await machine.sh('ip', '-n', 'gw-evil', 'addr', 'del', `${SHOP.address}/32`, 'dev', 'eth0');
  await machine.sh('nft', 'delete', 'table', 'inet', 'seen');
  expect(await connection.next()).toBe('alive');
});

it('tells what it was asked for', async () => {
  const seen = await gateway.call('observe', {});
  expect(seen.hub).toEqual({ flows: FLOWS });
  expect(seen.namespaces.sort((a, b) => (a.service < b.service ? -1 : 1))).toEqual([
    { service: 'evil', spec: EVIL },
    { service: 'shop', spec: SHOP },
  ]);
  expect(seen.hostServices).toEqual([{ service: 'nas', spec: { address: NAS.address } }]);
});

it('closes when its packet filter is flushed, says so, and opens the same again', async () => {
  await machine.sh('nsenter', '--net=/run/netns/gw-hub', 'nft', 'flush', 'ruleset');
  expect(await fromEdge()).toBe('nothing');
  expect(await fromPhone(EVIL.address, EVIL.port)).toBe('nothing');
  expect(await dial(machine, 'gw-evil', { host: SHOP.address, port: SHOP.port })).toBe('nothing');
  expect((await gateway.call('observe', {})).hub?.renew).toMatch(/packet filter/);
  await gateway.call('hub.ensure', {});
  expect((await gateway.call('observe', {})).hub).toEqual({ flows: [] });
  expect(await fromTor()).toBe('nothing');
  await gateway.call('hostService.ensure', { service: 'nas', spec: { address: NAS.address } });
  await gateway.call('flows.replace', { flows: FLOWS });
  expect(await fromTor()).toBe('shop sees 10.64.0.3');
  expect(await fromPhone(NAS.address, NAS.port)).toBe(`nas sees ${PHONE}`);
});

it('keeps open connections when a flow goes, and cuts them when told to', async () => {
  const connection = talk(machine, { from: '10.64.0.3', host: SHOP.address, port: SHOP.port });
  expect(await connection.next()).toBe('alive');
  await gateway.call('hub.ensure', {});
  await gateway.call('namespace.ensure', { service: 'shop', spec: SHOP });
  await gateway.call('flows.replace', { flows: FLOWS.slice(0, 2) });
  expect(await fromTor()).toBe('nothing');
  expect(await connection.next()).toBe('alive');
  await gateway.call('flows.cut', { source: '10.64.0.3', address: SHOP.address });
  await expect.poll(() => connection.next(), { timeout: 5000 }).toBe('silence');
  await gateway.call('flows.cut', { source: '10.64.0.3', address: SHOP.address });
  await gateway.call('flows.replace', { flows: FLOWS });
});

it('tells which sockets listen inside', async () => {
  machine.start(
    'nsenter',
    '--net=/run/netns/gw-shop',
    'node',
    '-e',
    "require('node:net').createServer().listen(81, '127.0.0.1')",
  );
  const listeners = async (): Promise<unknown> =>
    (await gateway.call('namespace.listeners', { services: ['shop'] })).found[0]?.listeners;
  await expect.poll(listeners, { timeout: 5000 }).toContainEqual({ address: '127.0.0.1', port: 81 });
  expect(await listeners()).toContainEqual({ address: '0.0.0.0', port: SHOP.port });
});

it('gives a service no name server', async () => {
  expect(await machine.sh('ip', 'netns', 'exec', 'gw-shop', 'cat', '/etc/resolv.conf')).toMatch(
    /^#.*no name server/,
  );
});

const DAMAGES: readonly (readonly [string, RegExp, readonly [string, ...string[]]])[] = [
  [
    'forwarding is off',
    /forwarding was switched off/,
    ['nsenter', '--net=/run/netns/gw-hub', 'sysctl', '-qw', 'net.ipv4.ip_forward=0'],
  ],
  [
    'a rule is gone',
    /packet filter/,
    ['nsenter', '--net=/run/netns/gw-hub', 'nft', 'flush', 'chain', 'inet', 'gateway', 'forward'],
  ],
  ['routing policy is gone', /routing policy/, ['ip', '-n', 'gw-hub', 'rule', 'del', 'priority', '300']],
  ['the host address is gone', /lost its address/, ['ip', 'addr', 'del', '10.64.0.3/32', 'dev', 'gwhost']],
  ['the host route is gone', /lost its route/, ['ip', 'route', 'del', '10.64.0.0/20', 'dev', 'gwhost']],
  ['the host routes from the hub', /forwarding was switched on/, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']],
  ['the link is down', /link to the host is/, ['ip', 'link', 'set', 'gwhost', 'down']],
  ['the link is gone', /link to the host is gone/, ['ip', 'link', 'del', 'gwhost']],
];

it.each(DAMAGES)('notices and repairs: %s', async (_name, reason, argv) => {
  await machine.sh(...argv);
  expect((await gateway.call('observe', {})).hub?.renew).toMatch(reason);
  await gateway.call('hub.ensure', {});
  await gateway.call('hostService.ensure', { service: 'nas', spec: { address: NAS.address } });
  const seen = await gateway.call('observe', {});
  expect(seen.hub).toEqual({ flows: FLOWS });
  expect(seen.hostServices[0]?.renew).toBeUndefined();
  expect(await fromTor()).toBe('shop sees 10.64.0.3');
});

it('notices a service whose link or namespace is gone, and makes it again', async () => {
  const shop = async (): Promise<string | undefined> =>
    (await gateway.call('observe', {})).namespaces.find((each) => each.service === 'shop')?.renew;
  await machine.sh('ip', '-n', 'gw-shop', 'link', 'del', 'eth0');
  expect(await shop()).toMatch(/link to the hub is gone/);
  await gateway.call('namespace.ensure', { service: 'shop', spec: SHOP });
  expect(await shop()).toBeUndefined();
  // The program inside lived on, and is reached again.
  expect(await fromTor()).toBe('shop sees 10.64.0.3');
  await machine.sh('ip', 'netns', 'del', 'gw-shop');
  expect(await shop()).toMatch(/namespace is gone/);
  await gateway.call('namespace.ensure', { service: 'shop', spec: SHOP });
  expect(await shop()).toBeUndefined();
  await serve(machine, 'gw-shop', 'new shop', SHOP.port);
  expect(await fromTor()).toBe('new shop sees 10.64.0.3');
});
