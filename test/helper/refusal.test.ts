import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine } from '../support/machine.ts';

const KEY = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const OTHER_KEY = 'BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';

let machine: Machine;
let gateway: Gateway;

beforeAll(async () => {
  machine = await startMachine();
  gateway = await startGateway(machine);
  await gateway.apply({
    services: {
      shop: {
        address: '10.64.1.2',
        port: 8080,
        place: { type: 'namespace', name: 'shop' },
        domains: [{ domain: 'pay.shop.test', mode: 'http', access: 'devices' }],
      },
      wiki: {
        address: '10.64.1.5',
        port: 80,
        place: { type: 'namespace', name: 'wiki' },
        egress: 'direct',
      },
      nas: { address: '10.64.1.3', port: 9000, place: { type: 'host' } },
      lnd: {
        address: '10.64.1.5',
        port: 9735,
        upstreams: ['shop'],
        place: { type: 'entered', by: 'container', value: 'lnd' },
      },
      printer: { address: '10.64.1.4', port: 631, place: { type: 'target', host: '192.168.1.20' } },
    },
    devices: [{ publicKey: KEY, address: '10.64.8.2', services: ['nas'] }],
    ports: [51820],
  });
});
afterAll(async () => {
  gateway.helper.close();
  await machine.stop();
});

/** Sends as it is, past the types and the client. */
async function raw(request: string | Uint8Array): Promise<{ answer: string; hungUp: boolean }> {
  const socket = connect(gateway.socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  let answer = '';
  socket.on('data', (data) => (answer += data.toString()));
  socket.write(request);
  const hungUp = await Promise.race([
    new Promise<boolean>((resolve) => socket.on('close', () => resolve(true))),
    new Promise<boolean>((resolve) => {
      const look = setInterval(() => {
        if (!answer.includes('\n')) return;
        clearInterval(look);
        setTimeout(resolve, 100, false);
      }, 10);
    }),
  ]);
  socket.destroy();
  return { answer, hungUp };
}

async function ask(name: string, input: unknown): Promise<{ code: string; message: string } | undefined> {
  const { answer } = await raw(`${JSON.stringify({ id: 1, name, input })}\n`);
  const parsed = JSON.parse(answer) as { error?: { code: string; message: string } };
  return parsed.error;
}

const onion = (target: object, service = 'shop'): object => ({
  service,
  virtualPort: 80,
  target,
  secretKey: 'AAAA',
  publicKey: 'AAAA',
  hostname: `${'a'.repeat(56)}.onion`,
});
const edge = (change: object): object => {
  const to = { host: '192.168.1.20', port: 631 };
  const routes = [{ service: 'printer', address: '10.64.1.4', port: 631, to, ...change }];
  return { edge: { ...EDGE, routes } };
};
const EDGE = { devices: '10.64.8.0/21', source: '10.64.0.2', pool: '10.64.0.0/20', routes: [], sites: [] };
const site = (change: object): object => {
  const to = { host: '10.64.1.2', port: 8080 };
  const asked = { service: 'shop', domain: 'pay.shop.test', mode: 'http', access: 'devices', to, ...change };
  return { edge: { ...EDGE, sites: [asked] } };
};
const leaving = (change: object): object => ({
  egress: { services: [{ service: 'wiki', address: '10.64.1.5', by: 'direct', ...change }] },
});
const flow = (change: object): object => ({
  flows: [{ via: 'host', source: '10.64.0.3', address: '10.64.1.2', port: 8080, protocol: 'tcp', ...change }],
});

const OWN_NETWORK = networkFor('gw', '10.64.0.0/20');

describe('what the applied config does not justify', () => {
  const CASES: readonly (readonly [string, string, object])[] = [
    [
      'another prefix',
      'hub.ensure',
      {
        network: { prefix: 'x', pool: '10.64.0.0/20', hub: '10.64.0.1', edge: '10.64.0.2', tor: '10.64.0.3' },
      },
    ],
    [
      'another pool',
      'hub.remove',
      { network: { prefix: 'gw', pool: '0.0.0.0/0', hub: '10.64.0.1', edge: '10.64.0.2', tor: '10.64.0.3' } },
    ],
    ['IPv6 that was not applied', 'hub.ensure', { network: { ...OWN_NETWORK, ula: 'fd12:3456:789a::/48' } }],
    [
      'a service that is not there',
      'namespace.ensure',
      { service: 'ghost', spec: { namespace: 'ghost', address: '10.64.1.2', port: 8080 } },
    ],
    [
      "another service's address",
      'namespace.ensure',
      { service: 'shop', spec: { namespace: 'shop', address: '10.64.1.3', port: 8080 } },
    ],
    [
      'another port',
      'namespace.ensure',
      { service: 'shop', spec: { namespace: 'shop', address: '10.64.1.2', port: 22 } },
    ],
    [
      'another namespace',
      'namespace.ensure',
      { service: 'shop', spec: { namespace: 'mine', address: '10.64.1.2', port: 8080 } },
    ],
    [
      'a namespace for a host service',
      'namespace.ensure',
      { service: 'nas', spec: { namespace: 'nas', address: '10.64.1.3', port: 9000 } },
    ],
    [
      'entering a namespace for a service with its own',
      'entered.ensure',
      { service: 'shop', spec: { by: 'pid', value: '1', address: '10.64.1.2' } },
    ],
    [
      'entering another container',
      'entered.ensure',
      { service: 'lnd', spec: { by: 'container', value: 'cln', address: '10.64.1.5' } },
    ],
    [
      'entering a process of that name',
      'entered.ensure',
      { service: 'lnd', spec: { by: 'pid', value: '1', address: '10.64.1.5' } },
    ],
    [
      'entering with another address',
      'entered.ensure',
      { service: 'lnd', spec: { by: 'container', value: 'lnd', address: '10.64.1.2' } },
    ],
    [
      'a host address for an isolated service',
      'hostService.ensure',
      { service: 'shop', spec: { address: '10.64.1.2' } },
    ],
    ['a public host address', 'hostService.ensure', { service: 'nas', spec: { address: '1.1.1.1' } }],
    ['a flow from elsewhere on the host', 'flows.replace', flow({ source: '127.0.0.1' })],
    ['a flow to another port', 'flows.replace', flow({ port: 22 })],
    ['a flow to a target', 'flows.replace', flow({ address: '10.64.1.4', port: 631 })],
    ['a flow to the internet', 'flows.replace', flow({ address: '1.1.1.1', port: 443 })],
    ['a flow over UDP', 'flows.replace', flow({ protocol: 'udp' })],
    ['a flow from an unknown device', 'flows.replace', flow({ via: 'gwwg0', source: '10.64.8.3' })],
    [
      'a flow from a device to a service that it was not given',
      'flows.replace',
      flow({ via: 'gwwg0', source: '10.64.8.2' }),
    ],
    ['a way between services', 'flows.replace', flow({ via: 'service/nas', source: '10.64.1.3' })],
    [
      "a way between services with another's address",
      'flows.replace',
      flow({ via: 'service/lnd', source: '10.64.1.3', address: '10.64.1.2', port: 8080 }),
    ],
    [
      'a way between services to another port',
      'flows.replace',
      flow({ via: 'service/lnd', source: '10.64.1.5', address: '10.64.1.2', port: 22 }),
    ],
    [
      'the way back between services',
      'flows.replace',
      flow({ via: 'service/shop', source: '10.64.1.2', address: '10.64.1.5', port: 9735 }),
    ],
    [
      'a hole in the wall of a service',
      'namespace.ensure',
      {
        service: 'shop',
        spec: {
          namespace: 'shop',
          address: '10.64.1.2',
          port: 8080,
          upstreams: [{ service: 'nas', address: '10.64.1.3', port: 9000 }],
        },
      },
    ],
    ['a flow from a service', 'flows.replace', flow({ via: 's-abc', source: '10.64.1.2' })],
    ['letting out who reaches nothing', 'egress.ensure', leaving({ service: 'shop', address: '10.64.1.2' })],
    ['letting out by another way', 'egress.ensure', leaving({ by: 'tor' })],
    ["letting out another's address", 'egress.ensure', leaving({ address: '10.64.1.2' })],
    ['letting out a service of the host', 'egress.ensure', leaving({ service: 'nas', address: '10.64.1.3' })],
    ['letting out nobody we know', 'egress.ensure', leaving({ service: 'ghost' })],
    [
      'a wall with a door',
      'namespace.ensure',
      {
        service: 'shop',
        spec: { namespace: 'shop', address: '10.64.1.2', port: 8080, egress: 'tor' },
      },
    ],
    ['cutting everything', 'flows.cut', {}],
    ['sockets of a target', 'namespace.listeners', { services: ['printer'] }],
    ['another interface name', 'wireguard.remove', { name: 'eth0' }],
    ['a WireGuard of another gateway', 'wireguard.remove', { name: 'altwg0' }],
    [
      'another UDP port',
      'wireguard.ensure',
      { name: 'gwwg0', listenPort: 53, privateKey: KEY, address: '10.64.8.1', endpoint: 'a:1' },
    ],
    [
      'an unknown peer',
      'wireguard.setPeers',
      { name: 'gwwg0', peers: [{ publicKey: OTHER_KEY, address: '10.64.8.2', presharedKey: KEY }] },
    ],
    [
      "a peer with another's address",
      'wireguard.setPeers',
      { name: 'gwwg0', peers: [{ publicKey: KEY, address: '10.64.1.2', presharedKey: KEY }] },
    ],
    [
      'an onion to another port',
      'tor.writeOnion',
      { instance: 'tor', onion: onion({ host: '10.64.1.2', port: 22 }) },
    ],
    [
      'an onion to the host',
      'tor.writeOnion',
      { instance: 'tor', onion: onion({ host: '127.0.0.1', port: 8080 }) },
    ],
    [
      'an onion to another machine',
      'tor.writeOnion',
      { instance: 'tor', onion: onion({ host: '192.168.1.1', port: 631 }, 'printer') },
    ],
    ['a route to another machine', 'edge.write', edge({ to: { host: '192.168.1.1', port: 631 } })],
    ['a route to another port', 'edge.write', edge({ to: { host: '192.168.1.20', port: 22 } })],
    ["a route from another service's address", 'edge.write', edge({ address: '10.64.1.3' })],
    ['a route to a service of our own', 'edge.write', edge({ service: 'nas' })],
    ['a route for everybody', 'edge.write', { edge: { ...EDGE, devices: '0.0.0.0/0' } }],
    ['connections of the edge in the name of tor', 'edge.write', { edge: { ...EDGE, source: '10.64.0.3' } }],
    ['visitors at ports of the edge', 'edge.write', { edge: { ...EDGE, listen: { https: 443, http: 80 } } }],
    ['another web name', 'edge.write', site({ domain: 'evil.test' })],
    ['a web name that leads to another port', 'edge.write', site({ to: { host: '10.64.1.2', port: 22 } })],
    ['a web name that leads elsewhere', 'edge.write', site({ to: { host: '10.64.1.3', port: 8080 } })],
    ['a web name for another service', 'edge.write', site({ service: 'wiki' })],
    ['a web name that lets in everybody', 'edge.write', site({ access: 'anyone' })],
    [
      'an onion in the process of another privacy',
      'tor.writeOnion',
      { instance: 'tor-only', onion: onion({ host: '10.64.1.2', port: 8080 }) },
    ],
    [
      'an onion in the process that does not hide where it is',
      'tor.writeOnion',
      { instance: 'single-hop', onion: onion({ host: '10.64.1.2', port: 8080 }) },
    ],
    [
      'an onion for nobody',
      'tor.writeOnion',
      { instance: 'tor', onion: onion({ host: '10.64.1.2', port: 8080 }, 'ghost') },
    ],
  ];
  const PEM = [
    '-----BEGIN PRIVATE KEY-----',
    'AAAA',
    '-----END PRIVATE KEY-----',
    '-----BEGIN CERTIFICATE-----',
    'AAAA',
    '-----END CERTIFICATE-----',
    '',
  ].join('\n');
  it.each([
    ['a certificate for another name', 'edge.certificate', { name: 'evil.test', pem: PEM }],
    [
      'a device that was not given the service',
      'edge.client',
      { client: { name: 'phone', fingerprint: 'a'.repeat(64), services: ['shop'] } },
    ],
    ['a certificate for all names of others', 'edge.certificate', { name: '*.test', pem: PEM }],
    [
      'to answer a challenge for another name',
      'edge.challenge',
      { type: 'http-01', name: 'evil.test', token: 'a', response: 'a.b' },
    ],
    [
      'to answer a challenge for another name by TLS',
      'edge.challenge',
      { type: 'tls-alpn-01', name: 'evil.test', pem: PEM },
    ],
  ])('refuses %s', async (_what, name, input) => {
    expect(await ask(name, input)).toMatchObject({ code: 'HelperRefused' });
  });

  it.each(CASES)('refuses %s', async (_what, name, input) => {
    const error = await ask(name, { network: gateway.network, ...input });
    expect(error).toMatchObject({ code: 'HelperRefused' });
    expect(error?.message).toContain(name);
  });
});

describe('what is not well formed', () => {
  const CASES: readonly (readonly [string, string, object])[] = [
    ...['--all', '../1/ns/net', 'a/b', 'a b'].map((value): readonly [string, string, object] => [
      `${value} as a container`,
      'entered.ensure',
      { service: 'lnd', spec: { by: 'container', value, address: '10.64.1.5' } },
    ]),
    ['an option as name', 'namespace.remove', { service: '--all' }],
    ['a path as name', 'namespace.remove', { service: '../../etc' }],
    ['a newline in a name', 'namespace.remove', { service: 'shop\nlink del lo' }],
    ['an address that is none', 'flows.cut', { source: '10.64.1.2; reboot' }],
    [
      'a prefix with a slash',
      'observe',
      {
        network: {
          prefix: '../x',
          pool: '10.64.0.0/20',
          hub: '10.64.0.1',
          edge: '10.64.0.2',
          tor: '10.64.0.3',
        },
      },
    ],
    ['a public block as its own', 'observe', { network: { ...OWN_NETWORK, ula: '2001:db8::/48' } }],
    ['a port out of range', 'flows.replace', flow({ port: 70_000 })],
    ['one field more', 'namespace.remove', { service: 'shop', force: true }],
    ['an operation that is not in the list', 'shell.run', { command: 'id' }],
    ['an operation of the prototype', '__proto__', {}],
    ['a method of objects', 'toString', {}],
  ];
  it.each(CASES)('refuses %s', async (_what, name, input) => {
    expect(await ask(name, { network: gateway.network, ...input })).toMatchObject({ code: 'InvalidRequest' });
  });

  it.each([
    ['garbage', 'GET / HTTP/1.1\r\n\r\n'],
    ['bytes', Uint8Array.from({ length: 5000 }, (_, index) => (index * 7919) & 255)],
    ['an array', '[]\n'],
    ['a line of 10 MB', `${'x'.repeat(10_000_000)}\n`],
    ['10 MB without an end', 'x'.repeat(10_000_000)],
    ['a deep nest', `${'['.repeat(100_000)}\n`],
  ])('hangs up on %s and goes on', async (_what, bytes) => {
    const { answer, hungUp } = await raw(bytes);
    expect(hungUp).toBe(true);
    if (typeof bytes !== 'string' || bytes.length < 1000) expect(answer).toContain('InvalidRequest');
    expect(await gateway.call('observe', {})).toMatchObject({ namespaces: [] });
  });
});

it('does nothing but look and remove before a config was applied', async () => {
  const fresh = await startGateway(machine, 'new', '10.66.0.0/20');
  await fresh.call('observe', {});
  await expect(fresh.call('hub.ensure', {})).rejects.toMatchObject({ code: 'HelperRefused' });
  fresh.helper.close();
});

it('refuses to run twice with the same directories', async () => {
  await expect(startGateway(machine)).rejects.toThrow(/ended before it was ready/);
  await gateway.call('observe', {});
});

it('is found again by the daemon after a restart', async () => {
  await gateway.kill();
  await expect(gateway.call('observe', {})).rejects.toMatchObject({
    code: 'HelperUnreachable',
    hint: expect.stringContaining('gateway up') as string,
  });
  await gateway.restart();
  await gateway.call('observe', {});
});

it('opens its socket to root and the group of the daemon alone', async () => {
  expect(await machine.sh('stat', '-c', '%a %U:%G', '/run/gw-root/run/helper.sock')).toMatch(
    /^660 root:(gateway|root)$/,
  );
});

it('lets a cancelled call go at once', async () => {
  const ending = new AbortController();
  const call = gateway.helper.call('observe', { network: gateway.network }, ending.signal);
  ending.abort();
  await expect(call).rejects.toMatchObject({ code: 'Aborted' });
  await gateway.call('observe', {});
});
