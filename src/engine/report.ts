import type { Address, Observed, Provider, Published, Reach, Tri } from '../core/contract.ts';
import type { Desired, DesiredExposure } from '../core/desired.ts';
import { enteredText, type Device, type Service } from '../core/service.ts';
import type { LiveToken } from '../core/tokens.ts';
import {
  phaseOf,
  phaseOfService,
  type DeviceStatus,
  type FallbackStatus,
  type ServiceStatus,
  type Status,
  type Unlocked,
  type Way,
} from '../core/status.ts';
import { twinOf } from '../core/ula.ts';
import { draftConditions, type ConditionClock } from './conditions.ts';
import type { Fallbacks } from './fallbacks.ts';
import type { Health } from './health.ts';
import { noticesOf } from './notices.ts';
import type { FailedChange, World } from './reconciler.ts';

/** Does something listen where the config says? */
export interface Listening {
  readonly status: Tri;
  readonly message: string;
}

export interface ReportInput {
  readonly desired: Desired | undefined;
  readonly world: World;
  readonly failed: readonly FailedChange[] | undefined;
  readonly providers: readonly Provider[];
  readonly devices: readonly Device[];
  readonly tokens: readonly LiveToken[];
  readonly health: Health;
  readonly fallbacks: Fallbacks;
  readonly clock: ConditionClock;
  readonly listening: ReadonlyMap<string, Listening>;
  readonly unlocked: ReadonlyMap<string, Unlocked>;
  readonly generation: number | null;
  readonly isDown: boolean;
  readonly fileDiffers: boolean;
  readonly notices: readonly string[];
}

/** Everything that `gateway status` shows, from what was desired, observed and visited. */
export function reportStatus(input: ReportInput): Status {
  const services = input.desired?.services ?? [];
  const exposures = Map.groupBy(input.desired?.exposures ?? [], ({ service }) => service.name);
  const tokens = Map.groupBy(input.tokens, ({ device }) => device);
  const peers = peersIn(input.world);
  return {
    generation: input.generation,
    isDown: input.isDown,
    fileDiffers: input.fileDiffers,
    services: services.map((service) => reportService(service, exposures.get(service.name) ?? [], input)),
    devices: input.devices.map((device) => reportDevice(device, peers, tokens.get(device.name) ?? [])),
    notices: [...input.notices, ...noticesOf(input.world)],
  };
}

function reportService(
  service: Service,
  exposures: readonly DesiredExposure[],
  input: ReportInput,
): ServiceStatus {
  const ways = exposures.map((exposure) => reportWay(exposure, input));
  return {
    name: service.name,
    kind: service.kind,
    privacy: service.privacy,
    isolated: service.place.type === 'namespace',
    entered: service.place.type === 'entered' ? enteredText(service.place) : null,
    address: service.address,
    address6: twinOfService(service, input.desired),
    port: service.port,
    listening: input.listening.get(service.name) ?? { status: 'unknown', message: 'not looked at yet' },
    unlocked: input.unlocked.get(service.name) ?? null,
    phase: phaseOfService(ways),
    fallback: reportFallback(service.name, input),
    ways,
  };
}

function reportFallback(service: string, { desired, fallbacks }: ReportInput): FallbackStatus | null {
  const outcome = fallbacks.of(service);
  if (outcome === undefined) return null;
  const { decision, isFallback, isDark, advertised } = outcome;
  return {
    order: [...(desired?.orders.get(service) ?? [])],
    way: decision.way,
    isFallback,
    isDark,
    advertised: [...advertised],
    why: decision.why,
    since: new Date(decision.sinceMs).toISOString(),
  };
}

function twinOfService({ place, address }: Service, desired: Desired | undefined): string | null {
  const isInside = place.type === 'namespace' || place.type === 'entered';
  return (isInside && desired !== undefined ? twinOf(desired.network, address) : undefined) ?? null;
}

/** What a provider says of one way in. */
interface Said {
  readonly addresses: readonly Address[];
  readonly published: Published;
  readonly reach: Reach | undefined;
}

/** What was not accepted was not made, so nobody arrives. */
const REFUSED: Said = {
  addresses: [],
  published: { status: 'no', reason: 'NotAccepted', message: 'not accepted' },
  reach: { reachable: 'no', vantage: 'none', detail: 'not accepted' },
};

function ask(exposure: DesiredExposure, { providers, world, health }: ReportInput): Said {
  const provider = providers.find((candidate) => candidate.id === exposure.provider);
  if (provider === undefined || exposure.problem !== undefined) return REFUSED;
  const observed = world.get(provider.id) ?? [];
  return {
    addresses: provider.addresses(exposure, observed),
    published: provider.published(exposure, observed),
    reach: health.latest(`${exposure.service.name}/${provider.id}`),
  };
}

function reportWay(exposure: DesiredExposure, input: ReportInput): Way {
  const { service, provider, problem } = exposure;
  const { addresses, published, reach } = ask(exposure, input);
  const drafts = draftConditions(service.name, provider, { problem, failed: input.failed, published, reach });
  const conditions = input.clock.stamp(`${service.name}/${provider}`, drafts);
  return {
    provider,
    address: addresses[0]?.url ?? null,
    addresses: addresses.map((address) => ({ ...address, clientNeeds: [...address.clientNeeds] })),
    reachable: reach?.reachable ?? 'unknown',
    vantage: reach?.vantage ?? 'none',
    provedAt: reach?.provedAt ?? null,
    tookMs: input.health.tookMs(`${service.name}/${provider}`) ?? null,
    phase: phaseOf(conditions),
    conditions,
  };
}

/**
 * A provider with credentials per device observes each with these facts: publicKey, address, address6, latestHandshake,
 * endpoint.
 */
export function reportDevice(
  device: Device,
  peers: ReadonlyMap<string, Observed>,
  tokens: readonly LiveToken[],
): DeviceStatus {
  const peer = device.publicKey === undefined ? undefined : peers.get(device.publicKey);
  const handshake = peer?.facts['latestHandshake'];
  return {
    name: device.name,
    services: [...device.services],
    rights: [...(device.rights ?? [])],
    reachedBy: (device.reachedBy ?? []).map((one) => ({ ...one })),
    wallets: tokens.map(({ service, kind, rights }) => ({ service, kind, rights })),
    address: textIn(peer, 'address'),
    address6: textIn(peer, 'address6'),
    publicKey: device.publicKey ?? null,
    onionKey: device.onionKey ?? null,
    certificate: device.certificate ?? null,
    addedAt: device.addedAt,
    expiresAt: device.expiresAt ?? null,
    latestHandshake:
      typeof handshake === 'number' && handshake > 0 ? new Date(handshake * 1000).toISOString() : null,
    endpoint: textIn(peer, 'from') ?? textIn(peer, 'endpoint'),
  };
}

function textIn(peer: Observed | undefined, fact: string): string | null {
  const text = peer?.facts[fact];
  return typeof text === 'string' && text !== '' ? text : null;
}

/** By public key. */
export function peersIn(world: World): ReadonlyMap<string, Observed> {
  const peers = new Map<string, Observed>();
  for (const observed of [...world.values()].flat()) {
    const { publicKey, latestHandshake } = observed.facts;
    const isPeer = typeof publicKey === 'string' && latestHandshake !== undefined;
    if (isPeer && !peers.has(publicKey)) peers.set(publicKey, observed);
  }
  return peers;
}

/**
 * Addresses at which visitors arrive. In a namespace there is one. On the host there are two: devices come to the
 * service's address in the pool, unless it is a page, which the edge asks for them; everybody else by the address that the
 * host itself dials.
 */
export function arrivalsAt(service: Service, ways: readonly Pick<Provider, 'capabilities'>[]): string[] {
  const arrivals = ways.map(({ capabilities }) =>
    capabilities.network === 'vpn' && !isPage(service) ? service.address : service.dial.host,
  );
  return [...new Set(arrivals.length === 0 ? [service.address] : arrivals)];
}

function isPage({ kind }: Service): boolean {
  return kind === 'http' || kind === 'btcpay';
}

const EVERY_ADDRESS: readonly string[] = ['0.0.0.0', '*', '::', '[::]'];

/** What the sockets where a service lives say about the port of the config. */
export function judgeListeners(
  service: Pick<Service, 'name' | 'port' | 'place'>,
  arrivals: readonly string[],
  listeners: readonly { readonly address: string; readonly port: number }[],
): Listening {
  const here = listeners.filter((listener) => listener.port === service.port);
  if (here.length === 0) {
    const others = [...new Set(listeners.map((listener) => listener.port))].sort((a, b) => a - b);
    const seen = others.length === 0 ? '' : `; something listens on port ${others.join(', ')}`;
    return { status: 'no', message: `nothing listens on port ${service.port} of ${service.name} yet${seen}` };
  }
  const missed = arrivals.filter(
    (arrival) => !here.some(({ address }) => address === arrival || EVERY_ADDRESS.includes(address)),
  );
  if (missed.length === 0) return { status: 'yes', message: `listens on port ${service.port}` };
  const at = here.map((listener) => `${listener.address}:${listener.port}`).join(', ');
  return { status: 'no', message: `${service.name} listens on ${at} only, ${remedy(service, missed)}` };
}

function remedy({ place }: Pick<Service, 'place'>, missed: readonly string[]): string {
  if (place.type === 'namespace') {
    return `where no visitor arrives; let it listen on 0.0.0.0 (or ${missed[0]}), its namespace keeps everyone else out`;
  }
  const addresses = missed.join(' and ');
  if (place.type === 'entered')
    return `but visitors arrive at ${addresses}; let it listen on ${addresses} too, or on 0.0.0.0`;
  return `but visitors arrive at ${addresses}; let it listen on ${addresses} too, or on 0.0.0.0, which is every address of this machine`;
}
