import { allocate, allocateAll, deviceRange, interfaceAddress } from '../../src/core/allocate.ts';
import type {
  AllowWant,
  Compiled,
  CompileInput,
  DevicesWant,
  Ledger,
  PortWant,
  Problem,
  ReachWant,
  Resource,
  Want,
} from '../../src/core/contract.ts';
import type { Device, Service } from '../../src/core/service.ts';
import { LEARNED, portOutside } from './endpoint.ts';
import {
  interfaceName,
  type InterfaceSpec,
  type Options,
  type PeerSpec,
  type Settings,
  type Spec,
} from './spec.ts';

type Input = CompileInput<Options, Settings>;
/** One that was given no service through WireGuard has no key. */
type Keyed = Device & { readonly publicKey: string };

function hasKey(device: Device): device is Keyed {
  return device.publicKey !== undefined;
}

/**
 * One interface for all; a peer for each device that was given a service, also one that is not exposed here any more:
 * then nothing lets it in, but what it has open may finish, and exposing again needs no new handshake.
 */
export function compile(all: Input): Compiled<Spec> {
  const input = { ...all, devices: all.devices.filter(hasKey) };
  const addresses = allocateDevices(input);
  const ledger = Object.fromEntries([...addresses].map(([name, address]) => [`device/${name}`, address]));
  const { endpoint = LEARNED, mapping } = input.settings;
  const isRelayed = endpoint === LEARNED && (input.relays ?? []).some(({ tunnel }) => tunnel !== undefined);
  if (endpoint === LEARNED && mapping === 'off' && !isRelayed) {
    return { resources: [], wants: [], problems: endpointMissing(input), ledger };
  }
  const exposed = new Map(input.exposures.map(({ service }) => [service.name, service]));
  const resources: Resource<Spec>[] = [];
  const wants: Want[] = [];
  const given = input.devices.flatMap((device) => device.services);
  const neededBy = [...new Set([...exposed.keys(), ...given])].sort();
  if (neededBy.length > 0) resources.push(interfaceFor(input, endpoint, neededBy));
  if (mapping === 'auto') wants.push(...[...exposed.keys()].sort().map((name) => portWant(input, name)));
  if (isRelayed) wants.push(...[...exposed.keys()].sort().map((name) => devicesWant(input, name)));
  for (const device of byName(input.devices)) {
    const address = addresses.get(device.name);
    const granted = [...new Set(device.services)].sort().flatMap((name) => exposed.get(name) ?? []);
    if (address === undefined || device.services.length === 0) continue;
    resources.push(peerFor(input, device, address));
    const from = { interface: interfaceName(input.network), address };
    wants.push(...granted.flatMap((service) => wantsFor(service, from)));
    wants.push(
      ...(device.reachedBy ?? []).map(({ service, port }) => reachOf(service, device, address, port)),
    );
  }
  return { resources, wants, problems: [], ledger };
}

/** The router is asked for the port that devices dial. */
function portWant({ settings: { port, endpoint } }: Input, service: string): PortWant {
  return { part: 'ports', transport: 'udp', port, externalPort: portOutside(endpoint, port), service };
}

/** Whoever finds no way in by the home's own line comes by a relay. */
function devicesWant({ settings: { port } }: Input, service: string): DevicesWant {
  return { part: 'relay', port, service };
}

/**
 * A page is asked for through the edge, wherever it is. Another machine answers nothing else that comes from the pool either:
 * the edge carries the connection on to it.
 */
function wantsFor({ name, kind, place }: Service, from: Exclude<AllowWant['from'], string>): Want[] {
  const allow: Want = { part: 'namespaces', from, service: name };
  if (kind === 'http' || kind === 'btcpay') {
    const isBehindHub = place.type === 'namespace' || place.type === 'entered';
    const onward: Want[] = isBehindHub ? [{ part: 'namespaces', from: 'edge', service: name }] : [];
    return [allow, { part: 'edge', type: 'door', service: name }, ...onward];
  }
  return place.type === 'target' ? [allow, { part: 'edge', type: 'route', service: name }] : [allow];
}

/** The shop that BTCPay tells of a payment. */
function reachOf(service: string, { name }: Device, address: string, port: number): ReachWant {
  return { part: 'namespaces', service, to: { name, address, port } };
}

/** A device keeps its address for life, whether or not something is exposed to it at the moment. */
function allocateDevices(input: Input): ReadonlyMap<string, string> {
  const range = deviceRange(input.network.pool);
  const names = input.devices.map((device) => device.name);
  const { addresses, exhausted } = allocateAll(range, names, heldAddresses(input.ledger));
  const [left] = exhausted;
  if (left !== undefined) allocate(range, new Set(addresses.values()), `device ${left}`);
  return addresses;
}

function heldAddresses(ledger: Ledger): Map<string, string> {
  const entries = Object.entries(ledger).filter(([key]) => key.startsWith('device/'));
  return new Map(entries.map(([key, address]) => [key.slice('device/'.length), String(address)]));
}

function interfaceFor(input: Input, endpoint: string, neededBy: readonly string[]): Resource<InterfaceSpec> {
  const name = interfaceName(input.network);
  const address = interfaceAddress(input.network.pool);
  const spec = { type: 'interface', name, listenPort: input.settings.port, address, endpoint } as const;
  return { key: `interface:${name}`, spec, neededBy };
}

function peerFor(input: Input, device: Keyed, address: string): Resource<PeerSpec> {
  const { publicKey, services } = device;
  return {
    key: `peer:${publicKey}`,
    spec: { type: 'peer', interface: interfaceName(input.network), publicKey, address },
    neededBy: [...new Set(services)].sort(),
    label: device.name,
  };
}

function endpointMissing(input: Input): Problem[] {
  return input.exposures.map(({ service }) => ({
    code: 'EndpointMissing',
    service: service.name,
    message: `${service.name} cannot be reached over WireGuard: devices would not know where to find this gateway`,
    hint: 'write into gateway.yaml: wireguard: { endpoint: home.example.net:51820 }, with your public name or address and the UDP port that your router forwards; or have the router open it: wireguard: { mapping: auto }',
  }));
}

function byName<Named extends Device>(devices: readonly Named[]): Named[] {
  return [...devices].sort((a, b) => (a.name < b.name ? -1 : 1));
}
