import {
  addService,
  removeExposure,
  removeHomeName,
  removeService,
  setExposure,
  setService,
  type ServiceDraft,
  type ServiceEdit,
} from '../core/config-edit.ts';
import type { Handout, Provider } from '../core/contract.ts';
import type { Control, PlaceReport, Progress, UpReport } from '../core/control.ts';
import type { Desired } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import { formatEndpoint } from '../core/inet.ts';
import type { Ports } from '../core/ports.ts';
import { chooseUid } from '../core/service-user.ts';
import { reportAddress } from './address-report.ts';
import { enteredText, type Service } from '../core/service.ts';
import type { Engine } from '../engine/engine.ts';
import type { Store } from '../engine/store.ts';
import type { Paths } from '../system/directories.ts';
import type { CanaryWatch } from './canary.ts';
import { reportCertificates } from './certifier.ts';
import type { CertificateKeeper } from '../system/acme/keeper.ts';
import type { Changes } from './change.ts';
import { closedFlows, cutFlows } from './closed-flows.ts';
import { closedSites, cutSites } from './closed-sites.ts';
import { cutTunnelPorts } from './closed-tunnel-ports.ts';
import { checkCard, makeCard } from './device-card.ts';
import type { Devices } from './devices.ts';
import type { Recorder } from './journal.ts';
import { nameReports, setName } from './home-name.ts';
import { measure } from './measure.ts';
import type { Relays } from './relays.ts';
import type { NodeTokens } from './node-tokens.ts';
import type { Notifier } from './notifier.ts';
import { importOnionKey } from './onion-import.ts';
import { closeThrough, openThrough } from './ports-through.ts';
import { reportPorts } from './ports-report.ts';
import type { StatusReporter } from './status-reporter.ts';
import { letFinishUnless, unexposeAll } from './unexpose-all.ts';

export interface ControlOptions {
  readonly canary: CanaryWatch;
  readonly certifier: CertificateKeeper;
  readonly changes: Changes;
  readonly devices: Devices;
  readonly tokens: NodeTokens;
  readonly engine: Engine;
  readonly notifier: Pick<Notifier, 'test'>;
  readonly paths: Paths;
  readonly ports: Ports;
  readonly record: Recorder;
  readonly providers: readonly Provider[];
  readonly relays: Relays;
  readonly reporter: StatusReporter;
  readonly store: Store;
  /** Ends the daemon, once the answer to `down` is on its way. */
  readonly leave: () => void;
}

/** What the API can ask of the gateway, wired to the pieces that do it. */
export function createControl(options: ControlOptions): Control {
  const { changes, devices, ports, relays, reporter, store } = options;
  const edit = (
    change: (text: string) => string,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<UpReport> => changes.edit(change, progress, signal);
  return {
    status: () => reporter.report(),
    plan: (signal) => changes.preview(signal),
    up: (progress, signal) => changes.apply(progress, signal),
    down: (progress, signal) => down(options, progress, signal),
    addService: (draft, progress, signal) => add(options, draft, progress, signal),
    setService: (name, set, progress, signal) => change(options, name, set, progress, signal),
    removeService: (name, progress, signal) => edit((text) => removeService(text, name), progress, signal),
    expose: (service, provider, choice, progress, signal) =>
      edit((text) => setExposure(text, service, provider, choice), progress, signal),
    unexpose: (service, provider, now, progress, signal) =>
      unexpose(options, { service, provider, now }, progress, signal),
    unexposeAll: (now, progress, signal) => unexposeAll(options, now, progress, signal),
    addDevice: (draft, progress, signal) => devices.add(draft, progress, signal),
    renewDevice: (name, progress, signal) => devices.renew(name, progress, signal),
    grantDevice: (name, grant, progress, signal) => devices.grant(name, grant, progress, signal),
    ungrantDevice: (name, { gently = false, ...grant }, progress, signal) =>
      devices.ungrant(name, grant, gently, progress, signal),
    mintToken: (device, minting, _progress, signal) => options.tokens.mint(device, minting, signal),
    revokeDevice: (name, gently, progress, signal) => devices.revoke(name, { gently }, progress, signal),
    deviceCard: (name) => makeCard(options, name),
    checkCard: (name, card) => checkCard(options, name, card),
    names: () => nameReports(options.ports),
    setName: (draft, progress, signal) => setName(changes, draft, progress, signal),
    removeName: (name, progress, signal) => edit((text) => removeHomeName(text, name), progress, signal),
    importOnionKey: (service, key) => importOnionKey(options.ports, options.record, service, key),
    handouts: (service) => handouts(options, service),
    place: (service) => placeOf(options, findService(options, service)),
    address: async (withNat, signal) =>
      reportAddress(ports.home.addresses(), withNat ? await relays.nat(signal) : null),
    testNotices: (signal) => options.notifier.test(signal),
    metrics: () => measure(options),
    relays: (signal) => relays.list(signal),
    walk: (relay, question, signal) => relays.walk(relay, question, signal),
    joinRelay: (draft, progress, signal) => relays.join(draft, progress, signal),
    rotateRelay: (name, progress, signal) => relays.rotate(name, progress, signal),
    removeRelay: (name, progress, signal) => relays.remove(name, progress, signal),
    certificates: (signal) => reportCertificates(options.certifier, signal),
    renewCertificate: (name) => options.certifier.renew(name).then(() => null),
    revokeCertificate: (...asked) => options.certifier.revoke(...asked).then(() => null),
    ports: (signal) => reportPorts(options, signal),
    openThrough: (through, signal) => openThrough(options, through, signal),
    closeThrough: (signal) => closeThrough(options, signal),
    events: (after, limit) => store.events(after, limit),
    generations: () => Promise.resolve(store.generations()),
    rollback: (generation, progress, signal) => rollback(options, generation, progress, signal),
  };
}

/** A new service is nobody's yet: grants that an earlier one of the same name left behind do not pass to it. */
async function add(
  { changes, store }: ControlOptions,
  draft: ServiceDraft,
  progress: Progress,
  signal: AbortSignal,
): Promise<UpReport> {
  const stale = store.devices().filter((device) => device.services.includes(draft.name));
  const without = stale.map((device) => ({
    ...device,
    services: device.services.filter((service) => service !== draft.name),
  }));
  const edit = async (text: string): Promise<string> => {
    const edited = addService(text, draft);
    if (without.length > 0) await store.commit({ putDevices: without });
    return edited;
  };
  return changes.edit(edit, progress, signal);
}

/** A stricter privacy rule counts at once: what it forbids must not go on because it was open before. */
async function change(
  options: ControlOptions,
  name: string,
  set: ServiceEdit,
  progress: Progress,
  signal: AbortSignal,
): Promise<UpReport> {
  const before = options.engine.desired;
  if (set.privacy !== undefined) await options.ports.helper.call('tor.cut', { service: name }, signal);
  const report = await options.changes.edit((text) => setService(text, name, set), progress, signal);
  if (set.privacy !== undefined) await cutClosed(options, before, progress, signal);
  return report;
}

async function down(options: ControlOptions, progress: Progress, signal: AbortSignal): Promise<void> {
  const { changes, record, store, leave, ports } = options;
  await ports.helper.call('tor.cut', {}, signal);
  if (store.generationConfig() !== undefined) {
    const { failed } = await changes.clear(progress, signal);
    const [failure] = failed;
    if (failure !== undefined) throw failure.error;
    record('gateway.down', 'everything of ours was removed; keys, devices and addresses are kept');
  }
  progress('everything of ours is gone from this machine; keys, devices and addresses are kept');
  leave();
}

interface Unexposure {
  readonly service: string;
  readonly provider: string;
  readonly now: boolean;
}

/** Without `now` open connections may end by themselves: the hub lets established ones through. */
async function unexpose(
  options: ControlOptions,
  { service, provider, now }: Unexposure,
  progress: Progress,
  signal: AbortSignal,
): Promise<UpReport> {
  const { changes, engine, ports } = options;
  const before = engine.desired;
  if (provider === 'tor' && now) await ports.helper.call('tor.cut', { service }, signal);
  const close = (note: () => Promise<void>): Promise<UpReport> =>
    changes.edit(
      async (text) => {
        const edited = removeExposure(text, service, provider);
        if (provider === 'tor' && !now) await note();
        return edited;
      },
      progress,
      signal,
    );
  const report = await letFinishUnless(service, options, close, progress, signal);
  if (now) await cutClosed(options, before, progress, signal);
  return report;
}

/** Ends what is still open on the paths that this change closed, and nothing else. */
async function cutClosed(
  { engine, ports }: ControlOptions,
  before: Desired | undefined,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const after = engine.desired;
  if (before === undefined || after === undefined) return;
  await cutFlows(ports.helper, before, closedFlows(before, after), progress, signal);
  await cutSites(ports.helper, closedSites(before, after), progress, signal);
  await cutTunnelPorts(ports.helper, before, after, progress, signal);
}

async function rollback(
  { changes, record, store }: ControlOptions,
  wanted: number | undefined,
  progress: Progress,
  signal: AbortSignal,
): Promise<UpReport> {
  const all = store.generations();
  const target = all.findLast((one) =>
    wanted === undefined ? one.programmed && !one.current : one.number === wanted,
  );
  const text = target === undefined ? undefined : store.generationConfig(target.number);
  if (target === undefined || text === undefined) {
    const known = all.map((one) => one.number).join(', ') || 'none';
    throw new GatewayError(
      wanted === undefined
        ? 'there is no earlier generation that was fully applied'
        : `there is no generation ${wanted}`,
      {
        code: 'GenerationUnknown',
        retry: 'never',
        hint: `generations: ${known}; see them with: gateway generations`,
      },
    );
  }
  const report = await changes.replace(text, progress, signal);
  record('config.rolledBack', `gateway.yaml is generation ${target.number} again`, {
    generation: target.number,
  });
  return report;
}

async function handouts(options: ControlOptions, name: string): Promise<Handout[]> {
  const { engine, providers, reporter } = options;
  const service = findService(options, name);
  const world = await reporter.observe();
  const exposures = engine.desired?.exposures ?? [];
  return exposures
    .filter((exposure) => exposure.service.name === service.name && exposure.problem === undefined)
    .flatMap((exposure) => {
      const provider = providers.find(({ id }) => id === exposure.provider);
      return provider === undefined ? [] : [...provider.handouts(exposure, world.get(provider.id) ?? [])];
    });
}

async function placeOf({ engine, paths, store }: ControlOptions, service: Service): Promise<PlaceReport> {
  const { name, place, address, port } = service;
  const namespace =
    place.type === 'namespace' ? `${engine.desired?.network.prefix ?? 'gw'}-${place.name}` : null;
  return {
    service: name,
    isolated: namespace !== null,
    namespace,
    namespacePath: namespace === null ? null : `/run/netns/${namespace}`,
    uid: await userOf(name, engine.desired?.network.prefix ?? '', store),
    directory: paths.serviceDirectory(name),
    address,
    port,
    target: place.type === 'target' ? formatEndpoint({ host: place.host, port }) : null,
    entered: place.type === 'entered' ? enteredText(place) : null,
  };
}

/** Chosen once and kept: a program's files must belong to the same user tomorrow. */
async function userOf(service: string, prefix: string, store: Store): Promise<number> {
  const ledger = store.ledger();
  const users = ledger['users'] ?? {};
  const kept = users[service];
  if (typeof kept === 'number') return kept;
  const uid = chooseUid(prefix, Object.values(users).map(Number));
  const slices = Object.entries(ledger).map(([part, slice]) => [part, { ...slice }] as const);
  await store.commit({ ledger: { ...Object.fromEntries(slices), users: { ...users, [service]: uid } } });
  return uid;
}

function findService({ changes, engine }: ControlOptions, name: string): Service {
  changes.demandUp();
  const services = engine.desired?.services ?? [];
  const service = services.find((candidate) => candidate.name === name);
  if (service !== undefined) return service;
  const names = services.map((candidate) => candidate.name).join(', ') || 'none yet';
  throw new GatewayError(`there is no service ${name}`, {
    code: 'ServiceUnknown',
    hint: `services: ${names}`,
  });
}
