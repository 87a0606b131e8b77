import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Flow } from '../../src/core/operations.ts';
import { networkFor } from '../../src/core/allocate.ts';
import { twinOf } from '../../src/core/ula.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine } from '../support/machine.ts';
import {
  neighbourAdvertisement,
  onLink,
  packetTooBig,
  redirect,
  routerAdvertisement,
  sendIcmpv6,
} from '../support/icmpv6.ts';
import { dial, serve, talk, type Way } from '../support/traffic.ts';

/** What IPv4 does in hub.test.ts, over IPv6: one machine that had none at first, and was then completed. */
const ULA = 'fd12:3456:789a::/48';
const six = (address: string): string => twinOf({ ula: ULA }, address) ?? '';
const SHOP = { namespace: 'shop', address: '10.64.1.2', port: 8080 };
const EVIL = { namespace: 'evil', address: '10.64.1.3', port: 8081 };
const WIKI = {
  namespace: 'wiki',
  address: '10.64.1.4',
  port: 8082,
  upstreams: [{ service: 'shop', address: SHOP.address, port: SHOP.port }],
};
const PHONE = '10.64.8.2';
const STRANGER = '10.64.8.3';
const HUB = '10.64.0.1';

let machine: Machine;
let gateway: Gateway;

const flow = (via: string, source: string, to: { address: string; port: number }): Flow => {
  return { via, source, address: to.address, port: to.port, protocol: 'tcp' };
};
const FLOWS: Flow[] = [
  flow('gwwg0', PHONE, SHOP),
  flow('host', '10.64.0.3', SHOP),
  flow('service/wiki', WIKI.address, SHOP),
];
const within = (netns: string, ...argv: string[]): Promise<string> =>
  machine.sh('nsenter', `--net=/run/netns/${netns}`, '--', ...argv);
const fromPhone = (host: string, port: number, from = PHONE): Promise<string> =>
  dial(machine, 'phone', { from: host.includes(':') ? six(from) : from, host, port });
const inEvil = (...argv: string[]): Promise<string> => within('gw-evil', ...argv);
const fromEvil = (to: Way): Promise<string> => dial(machine, 'gw-evil', to);

async function ensure(network: Gateway['network']): Promise<void> {
  const placed = [SHOP, EVIL, WIKI].map(({ namespace, address, port }) => {
    const upstreams = namespace === 'wiki' ? { upstreams: ['shop'] } : {};
    return [
      namespace,
      { address, port, place: { type: 'namespace', name: namespace }, ...upstreams },
    ] as const;
  });
  const devices = [
    { publicKey: 'unused', address: PHONE, services: ['shop'] },
    { publicKey: 'unused', address: STRANGER, services: [] },
  ];
  await gateway.apply({ network, services: Object.fromEntries(placed), devices });
  const call: typeof gateway.call = (name, input) => gateway.call(name, { network, ...input });
  await call('hub.ensure', {});
  for (const spec of [SHOP, EVIL, WIKI]) await call('namespace.ensure', { service: spec.namespace, spec });
  await call('flows.replace', { flows: FLOWS });
}

const [NEAR, FAR] = ['02:00:00:00:00:01', '02:00:00:00:00:02'];

/** Two devices behind a veth in the place of WireGuard, which has no hardware addresses. */
async function addPhone(): Promise<void> {
  await machine.sh('ip', 'netns', 'add', 'phone');
  const peer = ['type', 'veth', 'peer', 'name', 'wg', 'address', FAR, 'netns', 'phone'];
  await within('gw-hub', 'ip', 'link', 'add', 'gwwg0', 'address', NEAR, 'up', ...peer);
  await within('phone', 'ip', 'link', 'set', 'wg', 'up');
}

async function addressPhone(
  devices: readonly string[],
  blocks: { bits: number; own: string; all: string; hub: string },
): Promise<void> {
  const neighbour = (netns: string, address: string, mac: string, link: string): Promise<string> =>
    within(netns, 'ip', 'neigh', 'add', address, 'lladdr', mac, 'dev', link, 'nud', 'permanent');
  await within('gw-hub', 'ip', 'route', 'add', blocks.own, 'dev', 'gwwg0');
  for (const address of devices) {
    await neighbour('gw-hub', address, FAR, 'gwwg0');
    await within('phone', 'ip', 'addr', 'add', `${address}/${blocks.bits}`, 'dev', 'wg', 'nodad');
  }
  await neighbour('phone', blocks.hub, NEAR, 'wg');
  await within('phone', 'ip', 'route', 'add', blocks.all, 'via', blocks.hub, 'dev', 'wg', 'onlink');
}

beforeAll(async () => {
  machine = await startMachine();
  // The host has it switched off, as many have: that is no matter to what lies behind the hub.
  const off = ['all', 'default'].map((which) => `net.ipv6.conf.${which}.disable_ipv6=1`);
  await machine.sh('sysctl', '-qw', ...off);
  gateway = await startGateway(machine, 'gw', '10.64.0.0/20', ULA);
});
afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});

describe('a world that was made before there was IPv6', () => {
  const old = networkFor('gw', '10.64.0.0/20');

  it('is completed, and what is open over IPv4 goes on', async () => {
    await ensure(old);
    await addPhone();
    await addressPhone([PHONE, STRANGER], { bits: 32, own: '10.64.8.0/21', all: '10.64.0.0/20', hub: HUB });
    for (const { namespace, port } of [SHOP, EVIL, WIKI])
      await serve(machine, `gw-${namespace}`, namespace, port, '::');
    const connection = talk(machine, { from: PHONE, host: SHOP.address, port: SHOP.port }, 'phone');
    expect(await connection.next()).toBe('alive');
    expect(await fromPhone(six(SHOP.address), SHOP.port)).toBe('nothing');
    await gateway.apply({ network: gateway.network });
    const seen = await gateway.call('observe', {});
    expect(seen.hub?.renew).toBeDefined();
    expect(seen.namespaces.map(({ renew }) => renew)).toEqual(
      Array(3).fill('the hub has no IPv6 route to it'),
    );
    expect(seen.hub?.flows).toEqual([flow('host', '10.64.0.3', SHOP)]);
    await ensure(gateway.network);
    const own = `${six('10.64.8.0')}/117`;
    await addressPhone([PHONE, STRANGER].map(six), { bits: 128, own, all: ULA, hub: six(HUB) });
    expect(await gateway.call('observe', {})).toMatchObject({ hub: { flows: FLOWS } });
    expect((await gateway.call('observe', {})).hub).toEqual({ flows: FLOWS });
    expect(await fromPhone(six(SHOP.address), SHOP.port)).toBe(`shop sees ${six(PHONE)}`);
    expect(await connection.next()).toBe('alive');
    expect(await fromPhone(SHOP.address, SHOP.port)).toBe(`shop sees ${PHONE}`);
  });
});

describe('deny by default, over IPv6', () => {
  const shop = { host: six(SHOP.address), port: SHOP.port };

  it('lets nothing through but what was declared', async () => {
    expect(await fromPhone(shop.host, shop.port, STRANGER)).toBe('nothing');
    expect(await fromPhone(six(EVIL.address), EVIL.port)).toBe('nothing');
    expect(await fromPhone(six(HUB), SHOP.port)).toBe('nothing');
    expect(await dial(machine, 'gw-wiki', shop)).toBe(`shop sees ${six(WIKI.address)}`);
    expect(await dial(machine, 'gw-shop', { host: six(WIKI.address), port: WIKI.port })).toBe('nothing');
    // The hub lets it pass to one port, the wall inside to no other.
    expect(await dial(machine, undefined, shop)).toBe('nothing');
  });

  it('names upstreams in both families, IPv4 first', async () => {
    const hosts = await machine.sh('ip', 'netns', 'exec', 'gw-wiki', 'cat', '/etc/hosts');
    expect(hosts.split('\n').filter((line) => line.endsWith(' shop'))).toEqual([
      `${SHOP.address} shop`,
      `${six(SHOP.address)} shop`,
    ]);
  });

  it('gives a service no address but its own, and no way but into the pool', async () => {
    const addresses = await within('gw-shop', 'ip', '-6', '-o', 'addr', 'show', 'dev', 'eth0');
    expect(addresses.match(/inet6 \S+/g)).toEqual([`inet6 ${six(SHOP.address)}/128`]);
    const route = within('gw-shop', 'ip', '-6', 'route', 'get', '2606:4700::1111');
    await expect(route).rejects.toThrow('unreachable');
  });

  it('gives a neighbour nothing that tears down its own wall, nor with the address of another', async () => {
    await within('gw-evil', 'nft', 'flush', 'ruleset');
    expect(await fromEvil(shop)).toBe('nothing');
    for (const address of [SHOP.address, PHONE, WIKI.address, HUB].map(six)) {
      await within('gw-evil', 'ip', 'addr', 'add', `${address}/128`, 'dev', 'eth0', 'nodad');
      if (address !== shop.host) expect(await fromEvil({ ...shop, from: address })).toBe('nothing');
      await within('gw-evil', 'ip', 'addr', 'del', `${address}/128`, 'dev', 'eth0');
    }
    expect(await fromPhone(shop.host, shop.port)).toBe(`shop sees ${six(PHONE)}`);
  });

  it('keeps a neighbour out of the open connections of another', async () => {
    const connection = talk(machine, { from: six(PHONE), fromPort: 5555, ...shop }, 'phone');
    expect(await connection.next()).toBe('alive');
    const arrived =
      'table inet seen { chain in { type filter hook prerouting priority 0; icmpv6 type packet-too-big counter; }; }';
    await within('phone', 'nft', arrived);
    // It says so in the name of the shop.
    const ways = { link: 'eth0', from: shop.host, to: six(PHONE) };
    const lie = packetTooBig(six(PHONE), 5555, shop.host, SHOP.port);
    expect(await sendIcmpv6(inEvil, ways, [lie])).toBe('sent');
    expect(await within('phone', 'nft', 'list', 'table', 'inet', 'seen')).toContain('counter packets 0 ');
    await inEvil('ip', 'addr', 'del', `${shop.host}/128`, 'dev', 'eth0');
    expect(await connection.next()).toBe('alive');
  });

  it('believes no router and no neighbour that a service pretends to be', async () => {
    const sight = (netns: string): Promise<string> =>
      machine.sh('sh', '-c', 'for what in addr route neigh; do ip -6 -n "$0" $what show; done', netns);
    const before = [await sight('gw-hub'), await sight('gw-shop')];
    await within('gw-evil', 'nft', 'flush', 'ruleset');
    const lies = [
      routerAdvertisement('2001:db8:bad::'),
      neighbourAdvertisement(shop.host, '02:00:00:00:00:bd'),
      redirect(shop.host),
    ];
    expect(await sendIcmpv6(inEvil, onLink('eth0'), lies)).toBe('sent');
    expect([await sight('gw-hub'), await sight('gw-shop')]).toEqual(before);
    expect(await fromPhone(shop.host, shop.port)).toBe(`shop sees ${six(PHONE)}`);
  });

  it('stays closed when its packet filter is flushed', async () => {
    await within('gw-hub', 'nft', 'flush', 'ruleset');
    expect(await fromPhone(shop.host, shop.port)).toBe('nothing');
    expect(await fromPhone(six(EVIL.address), EVIL.port)).toBe('nothing');
    expect(await fromEvil(shop)).toBe('nothing');
    await ensure(gateway.network);
    expect(await fromPhone(shop.host, shop.port)).toBe(`shop sees ${six(PHONE)}`);
  });

  it('cuts open connections of both families when told to', async () => {
    const connection = talk(machine, { from: six(PHONE), ...shop }, 'phone');
    expect(await connection.next()).toBe('alive');
    await gateway.call('flows.replace', { flows: [] });
    expect(await connection.next()).toBe('alive');
    await gateway.call('flows.cut', { source: PHONE, address: SHOP.address });
    await expect.poll(() => connection.next(), { timeout: 5000 }).toBe('silence');
    await ensure(gateway.network);
  });
});

describe('damage', () => {
  const shop = { host: six(SHOP.address), port: SHOP.port };

  it.each([
    ['forwarding is off', /forwarding of IPv6/, ['sysctl', '-qw', 'net.ipv6.conf.all.forwarding=0']],
    ['routing policy is gone', /policy for IPv6/, ['ip', '-6', 'rule', 'del', 'priority', '300']],
  ])('is noticed and repaired: %s', async (_name, reason, argv) => {
    await within('gw-hub', ...argv);
    expect((await gateway.call('observe', {})).hub?.renew).toMatch(reason);
    await gateway.call('hub.ensure', {});
    expect((await gateway.call('observe', {})).hub).toEqual({ flows: FLOWS });
    expect(await fromPhone(shop.host, shop.port)).toBe(`shop sees ${six(PHONE)}`);
  });

  it('takes no path for open whose twin is in another block', async () => {
    const moved = { network: networkFor('gw', '10.64.0.0/20', 'fd99:3456:789a::/48') };
    await gateway.apply(moved);
    const seen = await gateway.call('observe', moved);
    await gateway.apply({ network: gateway.network });
    expect(seen.hub?.flows).toEqual([flow('host', '10.64.0.3', SHOP)]);
    expect(seen.hub?.renew).toBeDefined();
  });

  it('shows a path that stands in one family alone', async () => {
    const element = (source: string): string =>
      `inet gateway allowed6 { "gwwg0" . ${six(source)} . ${six(EVIL.address)} . tcp . ${EVIL.port} }`;
    await within('gw-hub', 'nft', 'add', 'element', element(STRANGER));
    const seen = (await gateway.call('observe', {})).hub?.flows;
    expect(seen).toContainEqual(flow('gwwg0', STRANGER, EVIL));
    await within('gw-hub', 'nft', 'flush', 'set', 'inet', 'gateway', 'allowed6');
    expect((await gateway.call('observe', {})).hub?.flows).toEqual([flow('host', '10.64.0.3', SHOP)]);
  });
});
