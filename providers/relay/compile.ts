import type {
  Compiled,
  CompileInput,
  Exposure,
  Ledger,
  Problem,
  Resource,
  Want,
} from '../../src/core/contract.ts';
import { parseEndpoint } from '../../src/core/inet.ts';
import type { Relay } from '../../src/core/relay.ts';
import { carryOf, tunnelOf } from './carried.ts';
import { devicesBy, type DevicesAsked } from './devices.ts';
import { readExposure, type Way } from './read.ts';
import { edgePorts, type Options, type Settings, type Spec, wayKey } from './spec.ts';
import { numbersFor } from './numbers.ts';

/** A relay that somebody's visitors come by. */
export interface UsedRelay {
  readonly relay: Relay & { readonly tunnel: NonNullable<Relay['tunnel']> };
  readonly number: number;
  /** Devices come by it, to this UDP port, for these services; absent: they do not. */
  readonly devices?: DevicesAsked;
}

/**
 * A tunnel and one complete request for each relay that is used; the edge answers at names, certificates are kept by the
 * built-in part. The ledger keeps each relay's number, `tunnel/<relay>`, and the relay of the devices, `devices`.
 */
export function compile(input: CompileInput<Options, Settings>): Compiled<Spec> {
  const { exposures, network, relays = [], ledger } = input;
  const sorted = [...exposures].sort((a, b) => (a.service.name < b.service.name ? -1 : 1));
  const carrying = relays.filter(({ tunnel }) => tunnel !== undefined).map(({ name }) => name);
  const numbers = numbersFor(carrying, ledger);
  const read = readAll(sorted, relays, network.pool);
  const ways = read.flatMap((one) => ('code' in one ? [] : [one]));
  const devices = devicesBy(input);
  const used = relays.flatMap((relay): UsedRelay[] => {
    const { tunnel } = relay;
    const number = numbers.get(relay.name);
    const carried = devices?.relay === relay.name ? { devices } : {};
    const isUsed = 'devices' in carried || ways.some((way) => way.relays.includes(relay.name));
    return tunnel === undefined || number === undefined || !isUsed
      ? []
      : [{ relay: { ...relay, tunnel }, number, ...carried }];
  });
  return {
    resources: [
      ...used.flatMap((one) => ofRelay(one, ways)),
      ...ways.map(({ spec }) => ({ key: wayKey(spec.service), spec, neededBy: [spec.service] })),
    ],
    wants: ways.flatMap((way) => wantsFor(way, used)),
    problems: read.flatMap((one) => ('code' in one ? [one] : [])),
    ledger: { ...ledgerOf(numbers), ...(devices === undefined ? {} : { devices: devices.relay }) },
  };
}

function ledgerOf(numbers: ReadonlyMap<string, number>): Ledger {
  return Object.fromEntries([...numbers].map(([name, number]) => [`tunnel/${name}`, number]));
}

/** A name, or a port of a relay, belongs to the first service that has it, by name. */
function readAll(
  exposures: readonly Exposure<Options>[],
  relays: readonly Relay[],
  pool: string,
): (Way | Problem)[] {
  const owners = new Map<string, string>();
  return exposures.map((exposure) => {
    const way = readExposure(exposure, relays, pool);
    if ('code' in way) return way;
    const { service } = exposure;
    const places = 'domain' in way.spec ? [way.spec.domain] : portsOf(way.relays, way.spec.port);
    const taken = places.find((place) => (owners.get(place) ?? service.name) !== service.name);
    if (taken !== undefined) return takenBy(service.name, taken, owners.get(taken) ?? '');
    for (const place of places) owners.set(place, service.name);
    return way;
  });
}

function portsOf(relays: readonly string[], port: number): string[] {
  return relays.map((relay) => `port ${port} of the relay ${relay}`);
}

function takenBy(service: string, place: string, owner: string): Problem {
  return {
    code: 'DomainTaken',
    service,
    message: `${service} cannot answer at ${place}: that belongs to ${owner}`,
    hint: `give ${service} another: gateway expose ${service} --via relay, with --domain NAME or --port PORT`,
  };
}

function ofRelay(used: UsedRelay, ways: readonly Way[]): Resource<Spec>[] {
  const { name } = used.relay;
  const mine = ways.filter(({ relays }) => relays.includes(name));
  const neededBy = [...mine.map(({ spec }) => spec.service), ...(used.devices?.services ?? [])];
  return [
    { key: `tunnel:${name}`, spec: { type: 'tunnel', tunnel: tunnelOf(used, mine) }, neededBy },
    { key: `carry:${name}`, spec: { type: 'carry', relay: name, carry: carryOf(used, mine) }, neededBy },
  ];
}

function wantsFor({ spec, relays, access, strict }: Way, used: readonly UsedRelay[]): Want[] {
  if (!('domain' in spec)) return [];
  const { service, domain, mode } = spec;
  const mine = used.filter(({ relay }) => relays.includes(relay.name));
  const sites = mine.map(({ number }): Want => {
    const tunnel = { number, ...edgePorts(number) };
    const site = { part: 'edge', type: 'site', service, domain, via: 'relay', mode } as const;
    return { ...site, access, ...(strict === undefined ? {} : { strict }), tunnel };
  });
  const challenges = ['dns-01', 'http-01', 'tls-alpn-01'] as const;
  const at = mine.flatMap(({ relay }) => addressOf(relay.tunnel.endpoints) ?? []).at(0);
  return [
    ...sites,
    { part: 'certificates', name: domain, service, challenges },
    ...(at === undefined ? [] : [{ part: 'dns', name: domain, service, at: { ipv4: at } } as const]),
  ];
}

/** `undefined` when the relay is known by a name: what that stands for is looked up, and no part of what is wanted. */
function addressOf(endpoints: readonly string[]): string | undefined {
  return endpoints.map((text) => parseEndpoint(text)).find((endpoint) => endpoint?.type === 'ipv4')?.host;
}
