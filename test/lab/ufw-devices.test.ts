import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Phone } from '../../src/lab/actors/phone.ts';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import { hasUfw, installUfw } from '../support/ufw.ts';

/** What docs/egress.md tells the owner of a machine with ufw to type, so that devices come in. */
const TOPOLOGY = parseTopology(
  {
    description: 'a machine with a public address, and a phone',
    nodes: {
      core: { kind: 'router' },
      home: { defaultRoute: '11.2.0.1' },
      phone: { defaultRoute: '11.3.0.1' },
    },
    networks: {
      uplink: { core: '11.2.0.1/24', home: '11.2.0.2/24' },
      mobile: { core: '11.3.0.1/24', phone: '11.3.0.2/24' },
    },
  },
  'ufw',
);
const CONFIG = `wireguard: { endpoint: 11.2.0.2:51820 }
services:
  shop: { port: 80, kind: http, expose: { wireguard: {} } }
  nas: { namespace: host, port: 8080, kind: tcp, expose: { wireguard: {} } }
`;
const NODE = '/opt/gateway/node_modules/.bin/node';
const SHOP = '/opt/gateway/dist/src/lab/shop.js';

let lab: Lab;
let gateway: LabGateway;
let phone: Phone;
let ufw: ReturnType<typeof installUfw>;
const signal = AbortSignal.timeout(200_000);

/** Asked for once more after a second, so what fails was closed for longer than that. */
const open = (url: string): Promise<string> => phone.open(url, signal, 3).catch(String);

describe.skipIf(!hasUfw)('ufw (needs it, iptables and python3: bin/setup fetches the first)', () => {
  beforeAll(async () => {
    lab = await startLab(TOPOLOGY, { signal });
    gateway = await LabGateway.prepare(lab, 'home', CONFIG);
    ufw = installUfw(gateway.node, signal);
    await gateway.command(signal, 'up');
    await gateway.runShop('shop', 80);
    await gateway.node.detach([NODE, SHOP, '8080', '0.0.0.0'], {
      logFile: join(gateway.node.directory, 'nas.log'),
    });
    const png = join(lab.directory, 'phone.png');
    await gateway.command(
      signal,
      'device',
      'add',
      'phone',
      '-s',
      'shop',
      '-s',
      'nas',
      '--no-wait',
      '--png',
      png,
    );
    phone = new Phone(lab.node('phone'));
    await phone.scan(png, signal);
  }, 60_000);
  afterAll(() => lab?.stop());

  it('lets devices in to services in a namespace by one line, and to those of the machine by another', async () => {
    const { services } = await gateway.status(signal);
    const [shop = '', nas = ''] = ['shop', 'nas'].map(
      (name) =>
        services.find((service) => service.name === name)?.ways[0]?.address?.replace('tcp:', 'http:') ?? '',
    );
    await expect.poll(() => open(shop), { timeout: 20_000 }).toContain('The corner shop');
    expect(await open(nas)).toContain('The corner shop');

    await ufw('--force', 'enable');
    await expect.poll(() => open(shop), { timeout: 20_000 }).toContain('curl');
    await ufw('allow', '51820/udp');
    await expect.poll(() => open(shop), { timeout: 20_000 }).toContain('The corner shop');
    expect(await open(nas)).toContain('curl');
    await ufw('allow', 'in', 'on', 'gwhost');
    expect(await open(nas)).toContain('The corner shop');

    const reloads = (async () => {
      for (let round = 0; round < 3; round += 1) await ufw('reload');
    })();
    const visits = [shop, nas, shop, nas].map(open);
    await reloads;
    for (const page of await Promise.all(visits)) expect(page).toContain('The corner shop');
    expect(await open(shop)).toContain('The corner shop');
  }, 90_000);
});
