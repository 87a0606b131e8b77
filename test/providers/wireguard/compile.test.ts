import { describe, expect, it } from 'vitest';
import { networkFor } from '../../../src/core/allocate.ts';
import type { Compiled, CompileInput, Want } from '../../../src/core/contract.ts';
import type { Device, Service } from '../../../src/core/service.ts';
import { encodeKey } from '../../../src/wire/wireguard.ts';
import { wireguard } from '../../../providers/wireguard/index.ts';
import type { Options, Settings, Spec } from '../../../providers/wireguard/spec.ts';

const service = (name: string, address: string, port = 80): Service => ({
  name,
  kind: 'http',
  privacy: 'open',
  port,
  place: { type: 'namespace', name },
  address,
  dial: { host: address, port },
});
const device = (name: string, services: readonly string[], fill: number): Device => ({
  name,
  services,
  publicKey: encodeKey(new Uint8Array(32).fill(fill)),
  addedAt: '2026-11-20T00:00:00.000Z',
});
const SHOP = service('shop', '10.64.1.2');
const WIKI = service('wiki', '10.64.1.3');
const HIDDEN = service('hidden', '10.64.1.4');

function compile(change: Partial<CompileInput<Options, Settings>> = {}): Compiled<Spec> {
  return wireguard.compile({
    network: networkFor('gw', '10.64.0.0/20'),
    services: [SHOP, WIKI, HIDDEN],
    exposures: [SHOP, WIKI].map((exposed) => ({ service: exposed, options: {} })),
    devices: [
      device('phone', ['shop', 'hidden'], 1),
      device('laptop', ['wiki', 'shop'], 2),
      device('old', [], 3),
    ],
    wants: [],
    ledger: {},
    settings: wireguard.settings.parse({ endpoint: 'home.example.net:51820', mapping: 'off' }),
    ...change,
  });
}

/** A page is let through, seen by the edge, and reached by it. */
const page = (from: { interface: string; address: string }, service: string): Want[] => [
  { part: 'namespaces', from, service },
  { part: 'edge', type: 'door', service },
  { part: 'namespaces', from: 'edge', service },
];

describe('compile', () => {
  it('makes one interface, and a peer for each device that was given a service', () => {
    const { resources, wants } = compile();
    expect(resources.map(({ spec, neededBy, label }) => ({ spec, neededBy, label }))).toEqual([
      {
        spec: {
          type: 'interface',
          name: 'gwwg0',
          listenPort: 51820,
          address: '10.64.8.1',
          endpoint: 'home.example.net:51820',
        },
        neededBy: ['hidden', 'shop', 'wiki'],
      },
      {
        spec: {
          type: 'peer',
          interface: 'gwwg0',
          publicKey: device('', [], 2).publicKey,
          address: '10.64.8.2',
        },
        neededBy: ['shop', 'wiki'],
        label: 'laptop',
      },
      {
        spec: {
          type: 'peer',
          interface: 'gwwg0',
          publicKey: device('', [], 1).publicKey,
          address: '10.64.8.4',
        },
        neededBy: ['hidden', 'shop'],
        label: 'phone',
      },
    ]);
    const from = (address: string) => ({ interface: 'gwwg0', address });
    expect(wants).toEqual([
      ...page(from('10.64.8.2'), 'shop'),
      ...page(from('10.64.8.2'), 'wiki'),
      ...page(from('10.64.8.4'), 'shop'),
    ]);
  });

  it('lets devices through to what is no page without the edge', () => {
    const node: Service = { ...SHOP, kind: 'lnd' };
    const { wants } = compile({
      services: [node],
      exposures: [{ service: node, options: {} }],
      devices: [device('phone', ['shop'], 1)],
    });
    expect(wants).toEqual([
      { part: 'namespaces', from: { interface: 'gwwg0', address: '10.64.8.2' }, service: 'shop' },
    ]);
  });

  it('asks the edge to carry devices on to a service of another machine', () => {
    const printer: Service = { ...WIKI, kind: 'tcp', place: { type: 'target', host: '192.168.1.20' } };
    const { wants } = compile({
      services: [SHOP, printer],
      exposures: [SHOP, printer].map((exposed) => ({ service: exposed, options: {} })),
      devices: [device('phone', ['wiki'], 1)],
    });
    expect(wants).toEqual([
      { part: 'namespaces', from: { interface: 'gwwg0', address: '10.64.8.2' }, service: 'wiki' },
      { part: 'edge', type: 'route', service: 'wiki' },
    ]);
  });

  it('keeps the address of a device for life, and gives it to nobody else', () => {
    const { ledger } = compile();
    expect(ledger).toEqual({
      'device/laptop': '10.64.8.2',
      'device/old': '10.64.8.3',
      'device/phone': '10.64.8.4',
    });
    const later = compile({ ledger, devices: [device('phone', [], 9), device('aunt', ['shop'], 4)] });
    expect(later.ledger).toEqual({ 'device/aunt': '10.64.8.2', 'device/phone': '10.64.8.4' });
    expect(compile({ ledger, exposures: [] }).ledger).toEqual(ledger);
  });

  it('lets devices drain when nothing is exposed any more: they stay connected, and reach nothing new', () => {
    const { resources, wants } = compile({ exposures: [] });
    expect(resources.map(({ key }) => key.split(':')[0])).toEqual(['interface', 'peer', 'peer']);
    expect(wants).toEqual([]);
  });

  it('makes nothing when nothing is exposed and no device was given anything', () => {
    const devices = [device('old', [], 3)];
    expect(compile({ exposures: [], devices })).toMatchObject({ resources: [], wants: [], problems: [] });
  });

  it('asks the router for the port that devices dial, and for the endpoint where none is configured', () => {
    const portsOf = (settings: unknown) => {
      const { resources, wants } = compile({ settings: wireguard.settings.parse(settings) });
      const mine = wants.filter((want) => want.part === 'ports');
      return { endpoint: resources[0]?.spec, mine };
    };
    const { mine, endpoint } = portsOf({ port: 5000, endpoint: 'home.example.net:443' });
    const want = { part: 'ports', transport: 'udp', port: 5000, externalPort: 443 };
    expect(mine).toEqual([
      { ...want, service: 'shop' },
      { ...want, service: 'wiki' },
    ]);
    expect(endpoint).toMatchObject({ endpoint: 'home.example.net:443' });
    expect(portsOf({})).toMatchObject({
      endpoint: { endpoint: 'auto' },
      mine: [{ externalPort: 51_820 }, { externalPort: 51_820 }],
    });
  });

  it('asks for a way by a relay that carries, where the owner told no endpoint', () => {
    const looking = {
      name: 'vps',
      address: '11.1.0.2:7443',
      fingerprint: 'A'.repeat(43),
      home: '0'.repeat(16),
    };
    const tunnel = { publicKey: encodeKey(new Uint8Array(32)), endpoints: ['11.1.0.2:51820'] };
    const ends = { address: '10.127.0.2', relayAddress: '10.127.0.1' };
    const relays = [{ ...looking, tunnel: { ...tunnel, ...ends } }];
    const learned = wireguard.settings.parse({ port: 4000, mapping: 'off' });
    const { wants, problems } = compile({ settings: learned, relays });
    expect(problems).toEqual([]);
    expect(wants.filter(({ part }) => part === 'relay')).toEqual([
      { part: 'relay', port: 4000, service: 'shop' },
      { part: 'relay', port: 4000, service: 'wiki' },
    ]);
    expect(compile({ settings: learned, relays: [looking] }).problems).toHaveLength(2);
    expect(compile({ relays }).wants.filter(({ part }) => part === 'relay')).toEqual([]);
  });

  it('says what is missing when there is no endpoint and none can be learned, and keeps addresses', () => {
    const compiled = compile({ settings: wireguard.settings.parse({ mapping: 'off' }) });
    expect(compiled).toMatchObject({ resources: [], wants: [] });
    expect(compiled.problems.map(({ code, service: name }) => [code, name])).toEqual([
      ['EndpointMissing', 'shop'],
      ['EndpointMissing', 'wiki'],
    ]);
    expect(compiled.problems[0]?.hint).toContain('wireguard: { endpoint:');
    expect(Object.keys(compiled.ledger)).toHaveLength(3);
  });

  it('names the device for which no address is left', () => {
    const network = networkFor('gw', '10.64.0.0/24');
    const devices = Array.from({ length: 126 }, (_, index) => device(`device-${index + 100}`, ['shop'], 1));
    expect(() => compile({ network, devices })).toThrow('no address is left for device device-225');
    expect(compile({ network, devices: devices.slice(1) }).resources).toHaveLength(126);
  });
});

describe('settings', () => {
  it.each([
    { endpoint: 'home.example.net' },
    { endpoint: 'a:1\nPostUp = reboot' },
    { port: 0 },
    { mtu: 100 },
    { dns: '1.1.1.1' },
  ])('refuse %j', (settings) => expect(wireguard.settings.safeParse(settings).success).toBe(false));

  it('have a port without being told', () =>
    expect(wireguard.settings.parse({})).toEqual({ port: 51820, mapping: 'auto' }));
});
