import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EdgeDoor, Flow } from '../../src/core/operations.ts';
import { twinOf } from '../../src/core/ula.ts';
import { until } from '../support/machine.ts';
import { SHOP, startWebLab, WIKI, type WebLab } from '../support/web-lab.ts';

/** Pages that devices ask for: a real hub, a real HAProxy in it and one on the host, and a link called like WireGuard's. */
const ULA = 'fd12:3456:789a::/48';
const PHONE = '10.64.8.2';
const STRANGER = '10.64.8.3';
const PATIENCE_MS = 15_000;

let lab: WebLab;
const six = (address: string): string => twinOf({ ula: ULA }, address) ?? '';
const door = ({ service, to }: typeof SHOP): EdgeDoor => ({ service, address: to.host, port: to.port, to });
const flow = (source: string, { to }: typeof SHOP): Flow => {
  return { via: 'gwwg0', source, address: to.host, port: to.port, protocol: 'tcp' };
};
const fromEdge = ({ to }: typeof SHOP): Flow => {
  return { via: 'host', source: lab.gateway.network.edge, address: to.host, port: to.port, protocol: 'tcp' };
};

async function ip(...lines: string[]): Promise<void> {
  for (const line of lines) await lab.machine.sh('ip', ...(line.split(' ') as [string]));
}

/** Stands in for the WireGuard interface; both devices behind it. */
async function plugDevices(): Promise<void> {
  const gate = '10.64.8.1';
  const [ours, theirs] = ['02:00:00:00:00:01', '02:00:00:00:00:02'];
  await ip(
    'netns add phone',
    `-n gw-hub link add gwwg0 address ${ours} type veth peer name eth0 address ${theirs} netns phone`,
    `-n gw-hub addr add ${gate}/32 dev gwwg0`,
    `-n gw-hub addr add ${six(gate)}/128 dev gwwg0 nodad`,
    '-n gw-hub link set gwwg0 up',
    '-n phone link set lo up',
    '-n phone link set eth0 up',
    `-n phone route add ${gate} dev eth0`,
    `-n phone route add default via ${gate}`,
    // The hub answers no question of a neighbour's, and WireGuard has none.
    `-n phone -6 neigh add ${six(gate)} lladdr ${ours} dev eth0`,
    `-n phone -6 route add ${six(gate)} dev eth0`,
    `-n phone -6 route add default via ${six(gate)}`,
  );
  for (const address of [PHONE, STRANGER]) {
    await ip(
      `-n phone addr add ${address}/32 dev eth0`,
      `-n phone addr add ${six(address)}/128 dev eth0 nodad`,
      `-n gw-hub route add ${address} dev gwwg0`,
      `-n gw-hub -6 neigh add ${six(address)} lladdr ${theirs} dev gwwg0`,
      `-n gw-hub -6 route add ${six(address)} dev gwwg0`,
    );
  }
}

const load = () => lab.gateway.helper.call('edge.load', {}, AbortSignal.timeout(30_000));
const up = async (...pages: EdgeDoor[]) => {
  const doors = pages.length === 0 ? {} : { doors: { network: lab.gateway.network, services: pages } };
  const { listen: _, ...spec } = lab.spec([]);
  await lab.gateway.call('edge.write', { edge: { ...spec, ...doors } });
  return load();
};
const renewal = async (): Promise<string | undefined> =>
  (await lab.gateway.helper.call('edge.observe', {}, AbortSignal.timeout(PATIENCE_MS))).renew;

/** What the page heard; empty when nobody answers. */
const open = (host: string, from: string, port = 8080, ...more: string[]): Promise<string> => {
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}/a%2Fb`;
  const argv = ['curl', '-sS', '--max-time', '2', '--interface', from, ...more, url] as const;
  return lab.machine.sh('nsenter', '--net=/run/netns/phone', ...argv).catch(() => '');
};

beforeAll(async () => {
  lab = await startWebLab(undefined, ULA);
  for (const { service, to } of [SHOP, WIKI]) {
    await lab.addService(service, to.host, to.port);
    await lab.serve(service, to.port);
  }
  const at = ({ service, to }: typeof SHOP) => ({
    address: to.host,
    port: to.port,
    place: { type: 'namespace' as const, name: service },
  });
  await lab.gateway.apply({
    services: { shop: at(SHOP), wiki: at(WIKI) },
    devices: [
      { publicKey: 'phone', address: PHONE, services: ['shop'] },
      { publicKey: 'stranger', address: STRANGER, services: ['wiki'] },
    ],
  });
  await plugDevices();
  await lab.gateway.call('flows.replace', {
    flows: [flow(PHONE, SHOP), flow(STRANGER, WIKI), fromEdge(SHOP), fromEdge(WIKI)],
  });
}, 60_000);
afterAll(async () => {
  await lab.stop();
});

it('is asked for through the edge, which says which device asks, over both families', async () => {
  const claims = ['-H', 'X-Forwarded-For: 127.0.0.1', '-H', 'X_Real_IP: 127.0.0.1'];
  expect(await open(SHOP.to.host, PHONE, 8080, ...claims)).toMatch(/^x-forwarded-for: 127\.0\.0\.1/im);
  await up(door(SHOP), door(WIKI));
  const ways = [
    [SHOP.to.host, PHONE],
    [six(SHOP.to.host), six(PHONE)],
  ] as const;
  for (const [page, device] of ways) {
    const heard = await open(page, device, 8080, ...claims);
    expect(heard).toMatch(/^shop \+ 0 bytes/);
    expect(heard).toMatch(/^GET \/a%2Fb HTTP\/1\.1/m);
    expect(heard).toMatch(new RegExp(`^x-forwarded-for: ${device}\r?$`, 'im'));
    expect(heard).toMatch(/^x-forwarded-proto: http\r?$/im);
    expect(heard).toMatch(/^host: .*:8080\r?$/im);
    expect(heard).not.toContain('127.0.0.1');
  }
  expect(await open(SHOP.to.host, PHONE, 8080, '--http2-prior-knowledge')).toMatch(/^shop \+ 0 bytes/);
});

it('is open to the devices that were given it, and to no other, by no other way', async () => {
  expect(await open(WIKI.to.host, STRANGER)).toMatch(/^wiki/);
  expect(await open(WIKI.to.host, PHONE)).toBe('');
  expect(await open(SHOP.to.host, STRANGER)).toBe('');
  expect(await open(six(SHOP.to.host), six(STRANGER))).toBe('');
  expect(await open(lab.gateway.network.hub, PHONE, 7080)).toBe('');
  expect(await open('10.64.8.1', PHONE, 7080)).toBe('');
  expect(await open('fd12:3456:789a:1::a40:102', six(PHONE), 7080)).toBe('');
});

it('does not depend on what the firewall of the host lets in', async () => {
  const input = 'type filter hook input priority 0; policy drop;';
  const rules = `add table inet closed; add chain inet closed input { ${input} }; add rule inet closed input ct state established accept`;
  await lab.machine.sh('nft', rules);
  expect(await open(SHOP.to.host, PHONE)).toMatch(/^shop/);
  await lab.machine.sh('nft', 'delete table inet closed');
});

it('is led there anew, and says why, when HAProxy in the hub ended or the map was emptied', async () => {
  expect(await renewal()).toBeUndefined();
  const flush = ['nft', 'flush', 'map', 'inet', 'gateway', 'doors'] as const;
  await lab.machine.sh('nsenter', '--net=/run/netns/gw-hub', ...flush);
  expect(await renewal()).toBe('devices are not led to HAProxy');
  await load();
  expect(await renewal()).toBeUndefined();
  await lab.machine.sh('pkill', '-KILL', '-f', 'lib/door/haproxy.cfg');
  await until(async () => (await renewal()) === 'HAProxy is not running in the hub' || undefined);
  await load();
  expect(await open(SHOP.to.host, PHONE)).toMatch(/^shop/);
});

it('keeps what is open when it comes to the edge and when it leaves it', async () => {
  await up();
  const url = `http://${SHOP.to.host}:8080/stream`;
  const argv = ['curl', '-sS', '-N', '--max-time', '20', '--interface', PHONE, url];
  const stream = (): Promise<{ isOver: boolean }> => {
    const child = lab.machine.start('nsenter', '--net=/run/netns/phone', ...argv);
    const seen = { isOver: false };
    child.on('exit', () => (seen.isOver = true));
    return new Promise((resolve) => child.stdout?.once('data', () => resolve(seen)));
  };
  const straight = await stream();
  await up(door(SHOP));
  const edged = await stream();
  expect(await open(SHOP.to.host, PHONE)).toMatch(/^x-forwarded-for: 10\.64\.8\.2/im);
  await up();
  expect(await open(SHOP.to.host, PHONE)).not.toMatch(/x-forwarded-for/i);
  expect([straight, edged]).toEqual([{ isOver: false }, { isOver: false }]);
});

it('leaves nothing behind', async () => {
  await up(door(SHOP));
  await lab.gateway.helper.call('edge.stop', {}, AbortSignal.timeout(PATIENCE_MS));
  const processes = await lab.machine.sh('ps', 'axo', 'stat=,comm=');
  expect(processes.split('\n').filter((line) => /^[^Z].*haproxy/.test(line))).toEqual([]);
  expect(await open(SHOP.to.host, PHONE)).not.toMatch(/x-forwarded-for/i);
});
