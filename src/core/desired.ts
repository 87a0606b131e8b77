import { allocateAll, serviceRange } from './allocate.ts';
import type { Config, ConfigService } from './config-schema.ts';
import type { Compiled, Exposure, Ledger, Part, Problem, Provider, Resource, Want } from './contract.ts';
import { DnsSettings, type DnsAccess } from './dns-config.ts';
import { announceProblem } from './announce.ts';
import { refuseSecondNames } from './moved-name.ts';
import type { NotifySettings } from './notify.ts';
import { canonical } from './plan.ts';
import { compileProviders } from './compile-providers.ts';
import { egressProblem, privacyProblem } from './privacy.ts';
import type { Relay } from './relay.ts';
import type { Device, Network, Service } from './service.ts';
import type { Ledgers } from './state.ts';

export type { Ledgers } from './state.ts';

export interface DesiredInput {
  readonly config: Config;
  readonly devices: readonly Device[];
  readonly ledger: Ledgers;
  /** Built-in parts. */
  readonly parts: readonly Part[];
  readonly providers: readonly Provider[];
  /** `networkFor(config.prefix, pool)`. */
  readonly network: Network;
}

/** One way of one service. */
export interface DesiredExposure extends Exposure {
  /** Provider id. */
  readonly provider: string;
  /** Why it is left out; absent when it is accepted. */
  readonly problem?: Problem;
}

export interface Desired {
  readonly network: Network;
  /** By name. A service for which no address is left is only in `problems`. */
  readonly services: readonly Service[];
  /** By service, then provider. */
  readonly exposures: readonly DesiredExposure[];
  /** By service: the ways in that exist and that its rule allows, first choice first. */
  readonly orders: ReadonlyMap<string, readonly string[]>;
  /** By part id: built-in parts and providers. */
  readonly resources: ReadonlyMap<string, readonly Resource[]>;
  readonly problems: readonly Problem[];
  /** STUN servers, `host:port`. */
  readonly stun: readonly string[];
  /** Vantages outside, by name. */
  readonly relays: readonly Relay[];
  /** Zones in which records may be changed, and who is asked to. */
  readonly zones?: Readonly<Record<string, DnsAccess>>;
  /** Programs that are told each new public address; absent: none. */
  readonly programs?: readonly string[];
  /** `address:port` at which metrics are read; absent: nowhere. */
  readonly metrics?: string;
  /** Who is told when something is wrong; absent: nobody. */
  readonly notify?: NotifySettings;
  /** To be stored before anything is applied. */
  readonly ledger: Ledgers;
}

/**
 * What should be in the world. Pure and deterministic; the order of the input never matters. Nothing is thrown for a
 * service that cannot be: it becomes a problem, and every other service and way stays.
 */
export function compileDesired(input: DesiredInput): Desired {
  const placed = placeServices(input);
  const devices = knownGrants(input.devices, placed.services);
  const requested = refuseSecondNames(input.config, requestExposures(input, placed.services));
  const compile = (
    part: Part,
    exposures: readonly Exposure[],
    wants: readonly Want[],
    settings: unknown,
    relays: readonly Relay[] = [],
  ): Compiled =>
    part.compile({
      network: input.network,
      services: placed.services,
      exposures,
      devices,
      wants,
      ledger: input.ledger[part.id] ?? {},
      settings,
      ...(relays.length === 0 ? {} : { relays }),
    });
  const compileProvider = (provider: Provider, wants: readonly Want[]): Compiled | undefined => {
    const mine = requested.filter(
      (exposure) => exposure.provider === provider.id && exposure.problem === undefined,
    );
    const exposures = mine.map(({ service, options }) => ({ service, options }));
    const settings = input.config.settings[provider.id];
    // Only a provider that nothing uses can lack its settings: config.ts refuses the rest.
    return settings === undefined
      ? undefined
      : compile(provider, exposures, wants, settings, input.config.relays);
  };
  const byProvider = compileProviders(byId(input.providers), compileProvider);
  const asked = [...byProvider.values()].flatMap((compiled) => compiled?.wants ?? []);
  const wants = inOrder([...asked, ...edgeWants(placed.services, asked)]);
  const byPart = new Map(
    byId(input.parts).map((part) => {
      const mine = wants.filter((want) => want.part === part.id);
      return [part.id, compile(part, [], mine, input.config.settings[part.id] ?? {})] as const;
    }),
  );
  return assemble(input, placed, requested, byProvider, byPart);
}

function assemble(
  input: DesiredInput,
  placed: Placed,
  requested: readonly DesiredExposure[],
  byProvider: ReadonlyMap<string, Compiled | undefined>,
  byPart: ReadonlyMap<string, Compiled>,
): Desired {
  const compiled = [...byPart, ...byProvider].flatMap(([id, result]) =>
    result === undefined ? [] : [{ id, result }],
  );
  const exposures = requested.map((exposure) => {
    const found = [byProvider.get(exposure.provider), ...byPart.values()]
      .flatMap((result) => inOrder(result?.problems ?? []))
      .find((problem) => problem.service === exposure.service.name);
    return exposure.problem === undefined && found !== undefined ? { ...exposure, problem: found } : exposure;
  });
  const problems = [
    ...placed.problems,
    // What a service may not reach does not close its ways in.
    ...input.config.services.flatMap((service) =>
      [egressProblem(service) ?? [], announceProblem(service) ?? []].flat(),
    ),
    ...requested.flatMap((exposure) => exposure.problem ?? []),
    ...compiled.flatMap(({ result }) => result.problems),
  ];
  const slices = compiled.map(({ id, result }): [string, Ledger] => [id, result.ledger]);
  return {
    network: input.network,
    services: placed.services,
    exposures,
    orders: ordersOf(input.config.services, exposures),
    resources: new Map(compiled.map(({ id, result }) => [id, sortBy(result.resources, ({ key }) => key)])),
    problems: inOrder(problems),
    stun: input.config.stun,
    relays: input.config.relays,
    zones: DnsSettings.parse(input.config.settings['dns'] ?? {}).zones,
    ...(input.config.programs === undefined ? {} : { programs: input.config.programs }),
    ...(input.config.metrics === undefined ? {} : { metrics: input.config.metrics }),
    ...(input.config.notify === undefined ? {} : { notify: input.config.notify }),
    ledger: sortLedgers({ ...input.ledger, ...Object.fromEntries(slices), services: placed.ledger }),
  };
}

/** A way that is not accepted takes over for none. */
function ordersOf(
  services: readonly ConfigService[],
  exposures: readonly DesiredExposure[],
): Map<string, readonly string[]> {
  const accepted = exposures.filter(({ problem }) => problem === undefined);
  const open = Map.groupBy(accepted, ({ service }) => service.name);
  const ordered = sortBy(services, ({ name }) => name).map(({ name, fallback }) => {
    const ways = (open.get(name) ?? []).map(({ provider }) => provider);
    return [name, fallback.filter((provider) => ways.includes(provider))] as const;
  });
  return new Map(ordered.filter(([, order]) => order.length > 0));
}

interface Placed {
  readonly services: readonly Service[];
  readonly problems: readonly Problem[];
  readonly ledger: Ledger;
}

/** A service keeps its address for as long as it is in the config and the pool stays. */
function placeServices({ config, ledger, network }: DesiredInput): Placed {
  const held = Object.entries(ledger['services'] ?? {}).flatMap(([key, value]): [string, string][] =>
    key.startsWith('service/') ? [[key.slice('service/'.length), String(value)]] : [],
  );
  const names = config.services.map((service) => service.name);
  const { addresses, exhausted } = allocateAll(serviceRange(network.pool), names, new Map(held));
  const services = config.services.flatMap((service) => {
    const address = addresses.get(service.name);
    return address === undefined ? [] : [serviceAt(service, address)];
  });
  return {
    services: sortBy(services, ({ name }) => name),
    problems: exhausted.map((name) => ({
      code: 'AddressPoolExhausted',
      service: name,
      message: `no address of pool ${network.pool} is left for ${name}`,
      hint: 'remove a service that is not needed, or choose a larger pool in gateway.yaml',
    })),
    ledger: Object.fromEntries([...addresses].map(([name, address]) => [`service/${name}`, address])),
  };
}

function serviceAt(service: ConfigService, address: string): Service {
  const { name, kind, privacy, port, place } = service;
  const isLetOut = service.egress !== undefined && egressProblem(service) === undefined;
  const egress = isLetOut ? { egress: service.egress } : {};
  const target = place.type === 'target' ? place.host : '';
  const dial = { namespace: address, entered: address, host: '127.0.0.1', target };
  const upstreams = service.upstreams === undefined ? {} : { upstreams: service.upstreams };
  const way = { host: dial[place.type], port };
  const node = nodeOf(service);
  const backend = service.backend === undefined ? {} : { backend: service.backend };
  const dns = service.dns === undefined ? {} : { dns: service.dns };
  return {
    name,
    kind,
    privacy,
    port,
    place,
    ...backend,
    ...dns,
    ...egress,
    ...upstreams,
    ...node,
    address,
    dial: way,
  };
}

/** What hides the home is announced by nobody. */
function nodeOf(service: ConfigService): Pick<Service, 'node'> {
  if (service.node === undefined) return {};
  const { announce: _port, ...silent } = service.node;
  return { node: announceProblem(service) === undefined ? service.node : silent };
}

/** Every way that the config asks for; the ones that the privacy rule forbids carry that problem. */
function requestExposures(
  { config, providers }: DesiredInput,
  services: readonly Service[],
): DesiredExposure[] {
  const expose = new Map(config.services.map((service) => [service.name, service.expose]));
  return services.flatMap((service) =>
    byId(providers).flatMap((provider): DesiredExposure[] => {
      const ways = expose.get(service.name) ?? {};
      if (!Object.hasOwn(ways, provider.id)) return [];
      const problem = privacyProblem(service, provider);
      const exposure = { service, provider: provider.id, options: ways[provider.id] };
      return [problem === undefined ? exposure : { ...exposure, problem }];
    }),
  );
}

/**
 * Connections from the address on the host's link that no visitor has: the gateway asks a node itself, and the edge
 * brings visitors to a service that has a web name.
 */
function edgeWants(services: readonly Service[], wants: readonly Want[]): Want[] {
  const isAsked = ({ node, place }: Service): boolean =>
    node !== undefined && (place.type === 'namespace' || place.type === 'entered');
  const sites = wants.filter((want) => want.part === 'edge' && want.type === 'site');
  const names = [...services.filter(isAsked).map(({ name }) => name), ...sites.map(({ service }) => service)];
  return [...new Set(names)].map((service) => ({ part: 'namespaces', from: 'edge', service }));
}

/** A grant for a service that is not there grants nothing. */
function knownGrants(devices: readonly Device[], services: readonly Service[]): Device[] {
  const names = new Set(services.map((service) => service.name));
  const known = devices.map((device) => ({
    ...device,
    services: [...new Set(device.services)].filter((name) => names.has(name)).sort(),
  }));
  return sortBy(known, ({ name }) => name);
}

function byId<Item extends { readonly id: string }>(items: readonly Item[]): Item[] {
  return sortBy(items, ({ id }) => id);
}

function inOrder<Item>(items: readonly Item[]): Item[] {
  return sortBy(items, canonical);
}

function sortBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[] {
  return items
    .map((item) => ({ item, key: keyOf(item) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ item }) => item);
}

function sortLedgers(ledgers: Ledgers): Ledgers {
  const sorted = <Value>(record: Readonly<Record<string, Value>>): Record<string, Value> =>
    Object.fromEntries(sortBy(Object.entries(record), ([key]) => key));
  return sorted(Object.fromEntries(Object.entries(ledgers).map(([id, slice]) => [id, sorted(slice)])));
}
