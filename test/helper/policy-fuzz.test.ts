import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import { Applied } from '../../src/core/applied.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { OPERATIONS, type OperationArguments, type OperationName } from '../../src/core/operations.ts';
import { checkPolicy } from '../../src/helper/policy.ts';

/**
 * Every value that an operation is called with must be one that the applied config justifies. Each operation is called
 * with arguments that are justified, and then with one of its values replaced: by another service's, by one that is well
 * formed, by anything. It must be refused, unless the value is named below as one that binds nothing.
 */
const RUNS = Number(process.env['GATEWAY_FUZZ_RUNS'] ?? 10_000);
const NETWORK = networkFor('gw', '10.64.0.0/20');
const KEY = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const OTHER_KEY = 'BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const PROBE_KEY = 'CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const PHONE = { publicKey: KEY, address: '10.64.8.2' };
/** What the phone and the other device were given. */
const [GIVEN, GIVEN_OTHER] = [['nas', 'printer'], ['shop']];
const HOSTNAME = `${'a'.repeat(56)}.onion`;

const TUNNEL = {
  relay: 'vps',
  number: 3,
  publicKey: OTHER_KEY,
  endpoints: ['vps.example.net:51820'],
  address: '10.127.0.2',
  relayAddress: '10.127.0.1',
  mtu: 1420,
  web: { https: 7606, http: 7607 },
  ports: [{ port: 9736, service: 'lnd', to: { address: '10.64.1.6', port: 9735 } }],
  devices: 51820,
};
const EDGE_TUNNEL = {
  number: 3,
  from: NETWORK.hub,
  https: 7606,
  http: 7607,
  domains: ['pay.shop.test'],
};

/** Different ports, so that no value of one service fits another by chance. */
const APPLIED: Applied = Applied.parse({
  network: NETWORK,
  services: {
    shop: {
      address: '10.64.1.2',
      port: 8080,
      place: { type: 'namespace', name: 'shop-net' },
      egress: 'tor',
      upstreams: ['btcpay'],
      domains: [{ domain: 'pay.shop.test', mode: 'http', access: 'anyone' }],
    },
    btcpay: {
      address: '10.64.1.3',
      port: 23000,
      place: { type: 'namespace', name: 'btcpay' },
      domains: [{ domain: 'electrum.test', mode: 'tcp', access: 'devices' }],
    },
    nas: { address: '10.64.1.4', port: 9000, place: { type: 'host' } },
    printer: { address: '10.64.1.5', port: 631, place: { type: 'target', host: '192.168.1.20' } },
    lnd: { address: '10.64.1.6', port: 9735, place: { type: 'entered', by: 'container', value: 'lnd-1' } },
  },
  devices: [
    { ...PHONE, services: GIVEN },
    { publicKey: OTHER_KEY, address: '10.64.8.3', services: GIVEN_OTHER },
  ],
  ports: [51820],
  listen: { https: 443, http: 80 },
  tunnels: [TUNNEL],
  edgeTunnels: [EDGE_TUNNEL],
  clients: [{ name: 'phone', fingerprint: 'a'.repeat(64), services: ['btcpay', 'shop'], unlocks: ['shop'] }],
});

interface Case<Name extends OperationName> {
  readonly input: OperationArguments<Name>;
  /** Paths of values that bind nothing (`*`), or the other values that are justified there as well. */
  readonly free?: Readonly<Record<string, '*' | readonly unknown[]>>;
}

const network = NETWORK;
const upstream = { service: 'btcpay', address: '10.64.1.3', port: 23000 };
const onion = {
  service: 'shop',
  virtualPort: 80,
  proofOfWork: true,
  target: { host: '10.64.1.2', port: 8080 },
};
const edgeRoute = {
  service: 'printer',
  address: '10.64.1.5',
  port: 631,
  to: { host: '192.168.1.20', port: 631 },
};
const edgeSite = {
  service: 'shop',
  domain: 'pay.shop.test',
  mode: 'http' as const,
  access: 'anyone' as const,
  to: { host: '10.64.1.2', port: 8080 },
};
const PEM = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
const ANY = '*' as const;
const ONE_NAME = { service: ANY };
const WIREGUARD_NAME = { name: ['gwwg1', 'gwwg9999'] };

const CASES: { readonly [Name in OperationName]: Case<Name> } = {
  observe: { input: { network } },
  'hub.ensure': { input: { network } },
  'hub.remove': { input: { network } },
  'namespace.ensure': {
    input: {
      network,
      service: 'shop',
      spec: {
        namespace: 'shop-net',
        address: '10.64.1.2',
        port: 8080,
        egress: 'tor',
        upstreams: [upstream],
      },
    },
  },
  'namespace.ensureAll': {
    input: {
      network,
      namespaces: [
        { service: 'shop', spec: { namespace: 'shop-net', address: '10.64.1.2', port: 8080, egress: 'tor' } },
      ],
    },
  },
  'namespace.remove': { input: { network, service: 'shop' }, free: ONE_NAME },
  'entered.ensure': {
    input: { network, service: 'lnd', spec: { by: 'container', value: 'lnd-1', address: '10.64.1.6' } },
  },
  'entered.remove': { input: { network, service: 'lnd' }, free: ONE_NAME },
  'entered.watch': {
    input: { network, seen: [{ service: 'lnd', namespace: '4026532000 77' }] },
    free: { 'seen.0.service': ANY, 'seen.0.namespace': ANY },
  },
  'hostService.ensure': { input: { network, service: 'nas', spec: { address: '10.64.1.4' } } },
  'hostService.remove': { input: { network, service: 'nas' }, free: ONE_NAME },
  'flows.replace': {
    input: {
      network,
      flows: [
        { via: 'host', source: NETWORK.tor, address: '10.64.1.2', protocol: 'tcp', port: 8080 },
        { via: 'gwwg0', source: PHONE.address, address: '10.64.1.4', protocol: 'tcp', port: 9000 },
        { via: 'service/shop', source: '10.64.1.2', address: '10.64.1.3', protocol: 'tcp', port: 23000 },
      ],
    },
    free: {
      'flows.0.source': [NETWORK.edge],
      'flows.1.via': ['gwwg1', 'gwwg9999'],
    },
  },
  'flows.change': {
    input: {
      network,
      add: [{ via: 'gwwg0', source: PHONE.address, address: '10.64.1.4', protocol: 'tcp', port: 9000 }],
      remove: [{ via: 'host', source: NETWORK.tor, address: '10.64.1.2', protocol: 'tcp', port: 8080 }],
    },
    free: {
      'add.0.via': ['gwwg1', 'gwwg9999'],
      // Closing opens nothing.
      'remove.0.via': ANY,
      'remove.0.source': ANY,
      'remove.0.address': ANY,
      'remove.0.port': ANY,
      'remove.0.protocol': ANY,
    },
  },
  'flows.cut': {
    input: { network, source: PHONE.address, address: '10.64.1.2' },
    // Ending connections opens nothing.
    free: { source: ANY, address: ANY },
  },
  'namespace.listeners': {
    input: { network, services: ['shop'] },
    free: { 'services.0': ['btcpay', 'nas', 'lnd'] },
  },
  'wireguard.ensure': {
    input: {
      network,
      name: 'gwwg0',
      listenPort: 51820,
      privateKey: KEY,
      address: '10.64.8.1',
      endpoint: 'home.example.net:51820',
    },
    free: { ...WIREGUARD_NAME, privateKey: ANY, endpoint: ANY },
  },
  'wireguard.remove': { input: { network, name: 'gwwg0' }, free: WIREGUARD_NAME },
  'wireguard.setPeers': {
    input: { network, name: 'gwwg0', peers: [{ ...PHONE, presharedKey: KEY }] },
    free: { ...WIREGUARD_NAME, 'peers.0.presharedKey': ANY },
  },
  'wireguard.removePeer': {
    input: { network, name: 'gwwg0', publicKey: KEY },
    free: { ...WIREGUARD_NAME, publicKey: ANY },
  },
  // Any key but a device's.
  'wireguard.ensureProbe': { input: { network, name: 'gwwg0', publicKey: PROBE_KEY }, free: WIREGUARD_NAME },
  'wireguard.removeProbe': { input: { network, name: 'gwwg0' }, free: WIREGUARD_NAME },
  'tor.writeOnion': {
    input: {
      network,
      instance: 'tor',
      onion: { ...onion, secretKey: 'AAAA', publicKey: 'AAAA', hostname: HOSTNAME },
    },
    free: {
      'onion.virtualPort': ANY,
      'onion.proofOfWork': ANY,
      'onion.secretKey': ANY,
      'onion.publicKey': ANY,
      'onion.hostname': ANY,
    },
  },
  'tor.removeOnion': {
    input: { network, instance: 'tor', service: 'shop' },
    free: { ...ONE_NAME, instance: ANY },
  },
  'tor.drain': { input: { service: 'shop' }, free: ONE_NAME },
  'tor.cut': { input: { service: 'shop' }, free: ONE_NAME },
  'tor.write': {
    input: {
      network,
      instance: 'tor',
      torrc: { source: NETWORK.tor, pool: NETWORK.pool, onions: [onion], isWayOut: true },
    },
    free: { 'torrc.onions.0.virtualPort': ANY, 'torrc.onions.0.proofOfWork': ANY },
  },
  'tor.observe': { input: { instance: 'tor' }, free: { instance: ANY } },
  'tor.load': { input: { instance: 'tor' }, free: { instance: ANY } },
  'tor.announce': { input: { instance: 'tor', service: 'shop' }, free: { instance: ANY, service: ANY } },
  'tor.stop': { input: { instance: 'tor' }, free: { instance: ANY } },
  'edge.write': {
    input: {
      network,
      edge: {
        devices: '10.64.8.0/21',
        source: NETWORK.edge,
        pool: NETWORK.pool,
        routes: [edgeRoute],
        sites: [edgeSite],
        onions: [{ service: 'shop', instance: 'tor', to: edgeSite.to }],
        doors: {
          network,
          services: [{ service: 'shop', address: '10.64.1.2', port: 8080, to: edgeSite.to }],
        },
        listen: { https: 443, http: 80 },
        tunnels: [EDGE_TUNNEL],
      },
    },
  },
  'edge.observe': { input: {} },
  'edge.load': { input: {} },
  'edge.stop': { input: {} },
  'edge.proved': { input: { name: 'pay.shop.test' }, free: { name: ['electrum.test'] } },
  'edge.cut': { input: { service: 'shop' }, free: ONE_NAME },
  'edge.client': {
    input: {
      client: {
        name: 'phone',
        fingerprint: 'a'.repeat(64),
        services: ['btcpay', 'shop'],
        unlocks: ['shop'],
      },
    },
  },
  'edge.client.remove': { input: { name: 'phone' }, free: { name: ANY } },
  'edge.certificate': {
    input: { name: 'pay.shop.test', pem: PEM },
    free: { name: ['*.shop.test', 'electrum.test'], pem: ANY },
  },
  'edge.certificate.remove': { input: { name: 'pay.shop.test' }, free: { name: ANY } },
  'edge.challenge': {
    input: { type: 'http-01', name: 'pay.shop.test', token: 'abc', response: 'abc.def' },
    free: { name: ['*.shop.test', 'electrum.test'], token: ANY, response: ANY },
  },
  'edge.challenge.remove': {
    input: { type: 'http-01', name: 'pay.shop.test', token: 'abc' },
    free: { name: ANY, token: ANY },
  },
  'egress.ensure': {
    input: { network, egress: { services: [{ service: 'shop', address: '10.64.1.2', by: 'tor' }] } },
  },
  'egress.remove': { input: { network } },
  'egress.watch': { input: { network } },
  'tunnel.ensure': {
    input: { network, tunnel: TUNNEL, privateKey: KEY, endpoint: '11.1.0.2:51820' },
    free: { privateKey: ANY, endpoint: ANY },
  },
  'tunnel.remove': { input: { network, number: 3 }, free: { number: ANY } },
  'tunnel.observe': { input: { network } },
  'tunnel.cut': { input: { network, number: 3, port: 9736 }, free: { number: ANY, port: ANY } },
  'tunnel.dial': { input: { network, number: 3, endpoint: '11.1.0.2:443' }, free: { endpoint: ANY } },
  'tunnel.handshakes': { input: { network } },
  'tunnel.visitors': {
    input: { network, number: 3, port: 9736, source: '11.2.0.2' },
    free: { number: ANY, port: ANY, source: ANY },
  },
};

type Path = readonly string[];

function leavesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key]));
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce((inner, key) => (inner as Record<string, unknown>)[key], value);
}

function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by;
  if (Array.isArray(value)) {
    return value.map((inner: unknown, index) => (String(index) === key ? replaced(inner, rest, by) : inner));
  }
  const record = value as Record<string, unknown>;
  return { ...record, [key]: replaced(record[key], rest, by) };
}

/** Values that stand somewhere in the applied config or in a justified call, where they do not belong. */
const FAMILIAR = [
  ...new Set(
    [APPLIED, ...Object.values(CASES).map(({ input }) => input)].flatMap((each) =>
      leavesOf(each).map((path) => valueAt(each, path)),
    ),
  ),
];
const Value = fc.oneof(
  fc.constantFrom(...FAMILIAR),
  fc.ipV4(),
  fc.ipV4().map((address) => `${address}/20`),
  fc.integer({ min: 1, max: 65_535 }),
  fc.stringMatching(/^[a-z][a-z0-9-]{0,14}$/),
  fc.stringMatching(/^service\/[a-z]{1,6}$/),
  fc.constantFrom(
    OTHER_KEY,
    'gwwg1',
    'gwwg9999',
    'direct',
    'tor-only',
    'tor',
    'udp',
    'pid',
    'unit',
    '::1',
    '127.0.0.1',
  ),
  fc.jsonValue(),
);

function outcome(name: OperationName, input: unknown): 'malformed' | 'refused' | 'accepted' {
  const parsed = OPERATIONS[name].input.safeParse(input);
  if (!parsed.success) return 'malformed';
  try {
    checkPolicy(name, parsed.data as never, APPLIED);
    return 'accepted';
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'HelperRefused') return 'refused';
    throw error;
  }
}

const NAMES = Object.keys(OPERATIONS) as OperationName[];

describe.each(NAMES)('%s', (name) => {
  const { input, free = {} } = CASES[name];

  it('is done as the config says', () => {
    expect(outcome(name, input)).toBe('accepted');
  });

  const leaves = leavesOf(input).filter((path) => path.length > 0 && free[path.join('.')] !== ANY);
  it.runIf(leaves.length > 0)('is refused with any other value', () => {
    const property = fc.property(fc.constantFrom(...leaves), Value, (path, value) => {
      const key = path.join('.');
      const also: unknown = free[key] ?? [];
      fc.pre(value !== valueAt(input, path) && !(Array.isArray(also) && also.includes(value)));
      expect([key, value, outcome(name, replaced(input, path, value))]).not.toContain('accepted');
    });
    fc.assert(property, { numRuns: Math.ceil(RUNS / NAMES.length), maxSkipsPerRun: 1000 });
  });

  it('is refused with anything else', () => {
    const property = fc.property(fc.oneof(fc.jsonValue(), fc.anything()), (anything) => {
      fc.pre(JSON.stringify(anything) !== '{}');
      expect(outcome(name, anything)).not.toBe('accepted');
    });
    fc.assert(property, { numRuns: Math.ceil(RUNS / NAMES.length / 10) });
  });
});

it('is refused when nothing was applied, but for looking and removing', () => {
  const done = NAMES.filter((name) => {
    try {
      checkPolicy(name, CASES[name].input as never, undefined);
      return true;
    } catch (error) {
      if (error instanceof GatewayError) return false;
      throw error;
    }
  });
  expect(done.filter((name) => !/observe|remove|stop|cut/i.test(name))).toEqual([]);
});
