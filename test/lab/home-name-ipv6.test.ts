import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import { LabGateway } from '../../src/lab/actors/gateway.ts';
import { Owner } from '../support/owner.ts';
import { joinProbeRelay } from '../support/probe-relay.ts';

/** A home with both families, whose router lets nothing in by IPv6 until it is told to. */
const SECRET = 'c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA==';
const OWN = '2b00:1:1::10';
const TOPOLOGY = parseTopology(
  {
    nodes: {
      core: { kind: 'router', routes: [{ to: '2b00:1:1::/64', via: '2b00:1::2' }] },
      router: {
        kind: 'router',
        defaultRoute: '11.2.0.1',
        routes: [{ to: '::/0', via: '2b00:1::1' }],
        nat: { outside: 'uplink' },
        forwards: [{ protocol: 'udp', port: 51820, to: '192.168.50.10:51820' }],
      },
      home: { defaultRoute: '192.168.50.1', routes: [{ to: '::/0', via: '2b00:1:1::1' }] },
      dns: { defaultRoute: '11.4.0.1', services: [{ type: 'dns', zone: 'lab.test', updates: SECRET }] },
      vps: { defaultRoute: '11.1.0.1', routes: [{ to: '::/0', via: '2b00:3::1' }] },
    },
    networks: {
      uplink: { core: ['11.2.0.1/24', '2b00:1::1/64'], router: ['11.2.0.2/24', '2b00:1::2/64'] },
      lan: { router: ['192.168.50.1/24', '2b00:1:1::1/64'], home: ['192.168.50.10/24', `${OWN}/64`] },
      names: { core: '11.4.0.1/24', dns: '11.4.0.53/24' },
      hosting: { core: ['11.1.0.1/24', '2b00:3::1/64'], vps: ['11.1.0.2/24', '2b00:3::2/64'] },
    },
  },
  'a name of both families',
);
const CONFIG = `wireguard: { endpoint: home.lab.test:51820 }
stun: ['11.1.0.2:3478']
dns:
  home: home.lab.test
  zones: { lab.test: { host: rfc2136, server: 11.4.0.53, key: updates, credential: /run/updates.key } }
services:
  shop: { port: 80, kind: http, expose: { wireguard: {} } }
`;
const signal = AbortSignal.timeout(170_000);
let lab: Lab;
let owner: Owner;

beforeAll(async () => {
  lab = await startLab(TOPOLOGY, { signal });
  owner = new Owner(await LabGateway.prepare(lab, 'home', CONFIG), signal);
  const home = (...argv: [string, ...string[]]) => lab.node('home').run(argv, { signal, input: SECRET });
  await home('dd', 'status=none', 'of=/run/updates.key');
  await home('chown', 'gateway', '/run/updates.key');
  await home('chmod', '600', '/run/updates.key');
  await firewall('drop');
  expect((await owner.type('up')).exitCode).toBe(0);
  await joinProbeRelay(lab, owner, ['11.1.0.2', '[2b00:3::2]'], signal);
}, 90_000);
afterAll(() => lab?.stop());

/** What a router does with what comes in by IPv6 unasked. */
async function firewall(verdict: 'accept' | 'drop'): Promise<void> {
  const text = `table ip6 wall {
  chain forward {
    type filter hook forward priority 0
    ct state established,related accept
    iifname "uplink" ${verdict}
  }
}
`;
  const router = lab.node('router');
  await router.run(['nft', 'delete', 'table', 'ip6', 'wall'], { signal, accept: [0, 1] });
  await router.run(['nft', '-f', '-'], { signal, input: text });
}

async function lookup(type: 'A' | 'AAAA'): Promise<string> {
  const { stdout } = await lab
    .node('vps')
    .run(['kdig', '+short', '@11.4.0.53', 'home.lab.test', type], { signal });
  return stdout.trim();
}

it('has no IPv6 address while nobody comes in by it', async () => {
  await expect.poll(() => lookup('A'), { timeout: 20_000 }).toBe('11.2.0.2');
  const events = async (): Promise<string> => (await owner.type('events')).stdout;
  await expect.poll(events, { timeout: 40_000 }).toContain(`${OWN} (interface, no visitor comes in)`);
  expect(await lookup('AAAA')).toBe('');
}, 80_000);

it('gets one when a visit from outside came in by it', async () => {
  await firewall('accept');
  const [pid = ''] = await owner.pidsOf('main.js daemon');
  await owner.home('kill', '-9', pid);
  await owner.type('up');
  await expect.poll(() => lookup('AAAA'), { timeout: 40_000 }).toBe(OWN);
  expect(await lookup('A')).toBe('11.2.0.2');
}, 60_000);
