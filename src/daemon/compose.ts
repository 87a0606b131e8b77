import { providers } from '../../providers/index.ts';
import type { Applied } from '../core/applied.ts';
import type { Control } from '../core/control.ts';
import type { Desired } from '../core/desired.ts';
import { messageOf } from '../core/errors.ts';
import type { Log, Ports, TorPort } from '../core/ports.ts';
import type { TorInstance } from '../core/tor-instance.ts';
import type { Network } from '../core/service.ts';
import { ConditionClock } from '../engine/conditions.ts';
import { Engine } from '../engine/engine.ts';
import { createFallbackMemory } from './fallback-memory.ts';
import type { Store } from '../engine/store.ts';
import { certificatesPart } from '../parts/certificates/index.ts';
import { edgePart } from '../parts/edge/index.ts';
import { dnsPart } from '../parts/dns/index.ts';
import { egressPart } from '../parts/egress/index.ts';
import { namespacesPart } from '../parts/namespaces/index.ts';
import { portsPart } from '../parts/ports/index.ts';
import { nodeCrypto } from '../system/crypto.ts';
import { Announced } from '../system/announced.ts';
import type { Paths } from '../system/directories.ts';
import type { CertificateKeeper } from '../system/acme/keeper.ts';
import { Names } from '../system/dns/names.ts';
import { writeFileAtomic } from '../system/files.ts';
import { createHelper } from '../system/helper-client.ts';
import { createKeys } from '../system/keys.ts';
import type { HomeMapper } from '../system/mapping/home-mapper.ts';
import { findAddresses } from '../system/dns/lookup.ts';
import { hasIpv6, hostRoutes } from '../system/routes.ts';
import { createTorPort } from '../system/tor.ts';
import { TorExits } from '../system/tor-exits/tor-exits.ts';
import { Announcer } from './announcer.ts';
import { CanaryWatch } from './canary.ts';
import { createCertifier } from './certifier.ts';
import { Changes } from './change.ts';
import { Compiler } from './compiler.ts';
import { ConfigFile } from './config-file.ts';
import { createControl } from './control.ts';
import { DeviceLinks } from './device-links.ts';
import { Devices } from './devices.ts';
import { Enrolment } from './enrolment.ts';
import { EgressWatch } from './egress-watch.ts';
import type { HomeTracker } from './home-tracker.ts';
import { createJournal, type Recorder } from './journal.ts';
import { createNotifier } from './notifier.ts';
import { NodeTokens } from './node-tokens.ts';
import { NodeWatch } from './node-watch.ts';
import { Recurring } from './recurring.ts';
import { MetricsPort } from './metrics-port.ts';
import { NamespaceWatch } from './namespace-watch.ts';
import { createOutside } from './outside.ts';
import { createRelayTasks } from './relay-tasks.ts';
import { Relays } from './relays.ts';
import { StatusReporter } from './status-reporter.ts';
import type { RelayVantages } from './vantages.ts';
import { createWatchAsker } from './watch-asker.ts';

/** Foundations first: a part may use what those before it made. */
const PARTS = [namespacesPart, egressPart, edgePart, portsPart, dnsPart, certificatesPart];

export interface Composed {
  readonly engine: Engine;
  readonly changes: Changes;
  readonly control: Control;
  /** Makes a pass come sooner when a namespace that we entered is replaced, once it was told what is applied. */
  readonly watch: NamespaceWatch;
  /** Revokes devices on time, and what nodes did not take back yet, once they were started. */
  readonly recurring: readonly Recurring[];
  /** Follows the public address, once it was started. */
  readonly home: HomeTracker;
  readonly record: Recorder;
  close(): Promise<void>;
}

export interface ComposeOptions {
  readonly paths: Paths;
  readonly store: Store;
  readonly log: Log;
  /** Ends the daemon. */
  readonly leave: () => void;
}

/** Puts the pieces together: the only place that knows every one. Starts nothing. */
export function compose({ paths, store, log, leave }: ComposeOptions): Composed {
  const helper = createHelper(paths.helperSocket);
  const wake = (): void => engine.wake();
  const tor = createTor(paths, wake);
  const keys = createKeys({ directory: paths.keys, registry: store, crypto: nodeCrypto });
  const names = new Names({ path: paths.names, now: Date.now, log });
  const record = createJournal(store, Date.now, log);
  const desired = (): Desired | undefined => engine.desired;
  const common = { desired, keys, log, record, changed: wake };
  const { vantages, home, mapper, carrier } = createOutside({ ...common, paths });
  const certifier = createCertifier({ ...common, mapper, directory: paths.certificates, helper, home });
  const ports: Ports = {
    now: Date.now,
    helper,
    keys,
    crypto: nodeCrypto,
    tor,
    // Not getaddrinfo: each that hangs holds one of the four threads that files need too.
    resolve: findAddresses,
    home,
    names,
    vantages,
    exits: createExits(paths),
    mapper,
    certifier,
    carrier,
    log,
  };
  // Not waited for: the pass is done, and the next one says it again.
  const programmed = (done: Desired): void => {
    changes.programmed(done).catch((error: unknown) => {
      log('error', 'generation was not marked as programmed', { error: messageOf(error) });
    });
  };
  const fallbackMemory = createFallbackMemory(store, log);
  const engine = new Engine({ parts: PARTS, providers, ports, record, programmed, fallbackMemory });
  const watch = new NamespaceWatch({ helper, log, changed: wake });
  const links = createLinks(paths, ports, record);
  const pieces = { paths, store, ports, names, mapper, certifier, engine, record, links };
  const changes = createChanges({ ...pieces, watch });
  const { control, metrics, recurring } = createOwnersControl({ ...pieces, changes, vantages, home, leave });
  const egressWatch = new EgressWatch({
    helper,
    log,
    leaving: () => leavingIn(engine),
    changed: wake,
  });
  const close = async (): Promise<void> => {
    await Promise.all(recurring.map((one) => one.stop()));
    await Promise.all([home.stop(), metrics.close()]);
    await watch.stop();
    await egressWatch.stop();
    await engine.stop();
    await Promise.all([mapper.close(), certifier.close(), links.close()]);
    helper.close();
    await Promise.all(Object.values(tor).map((port) => port.close()));
  };
  return { engine, changes, control, watch, home, recurring, record, close };
}

function createLinks({ handoutSocket: socket }: Paths, ports: Ports, record: Recorder): DeviceLinks {
  return new DeviceLinks({ ...ports, socket, record });
}

function createTor(paths: Paths, wake: () => void): Ports['tor'] {
  const of = (instance: TorInstance): TorPort => {
    const { torControl: controlSocket, torSocks: socksSocket } = paths.ofTor(instance);
    return createTorPort({ controlSocket, socksSocket, lost: wake, late: wake });
  };
  return { tor: of('tor'), 'tor-only': of('tor-only'), 'single-hop': of('single-hop') };
}

/** Never those of tor-only services: a probe says whose address this is. */
function createExits(paths: Paths): TorExits {
  const { torControl: controlSocket, torSocks: socksSocket } = paths.ofTor('tor');
  return new TorExits({ controlSocket, socksSocket, now: Date.now });
}

interface Pieces {
  readonly paths: Paths;
  readonly store: Store;
  readonly ports: Ports;
  readonly names: Names;
  readonly mapper: HomeMapper;
  readonly certifier: CertificateKeeper;
  readonly engine: Engine;
  readonly record: Recorder;
  readonly links: DeviceLinks;
}

function createChanges({
  paths,
  store,
  ports,
  names,
  certifier,
  engine,
  record,
  watch,
}: Pieces & { readonly watch: NamespaceWatch }): Changes {
  const file = new ConfigFile(paths.configFile, providers);
  const compiler = new Compiler({
    store,
    parts: PARTS,
    providers,
    hostRoutes,
    hasIpv6,
    random: (bytes) => ports.crypto.random(bytes),
  });
  const permit = async (applied: Applied): Promise<void> => {
    // Whatever the owner did may have mended what a host of names refused.
    await names.forgetTroubles();
    await certifier.encourage();
    await writeFileAtomic(paths.applied, JSON.stringify(applied), { mode: 0o640 });
    watch.aim(applied);
  };
  return new Changes({ file, compiler, engine, store, now: ports.now, permit, record });
}

interface Settling {
  settle(signal: AbortSignal): Promise<void>;
}

function createOwnersControl(
  pieces: Pieces & {
    readonly changes: Changes;
    readonly vantages: RelayVantages;
    readonly home: HomeTracker;
    readonly leave: () => void;
  },
): {
  control: Control;
  metrics: MetricsPort;
  recurring: readonly Recurring[];
} {
  const { paths, store, ports, changes } = pieces;
  const file = new ConfigFile(paths.configFile, providers);
  const clock = new ConditionClock(ports.now);
  const tokens = new NodeTokens(pieces);
  const announcer = createAnnouncer(pieces);
  const nodeWatch = new NodeWatch({ desired: () => pieces.engine.desired, now: ports.now });
  const notifier = createNotifier({ ...pieces, nodeWatch });
  const canary = new CanaryWatch({ ...pieces, providers });
  const watchAsker = createWatchAsker(pieces);
  const notices = (): readonly string[] => [
    ...store.recovered,
    ...(changes.trouble === undefined ? [] : [changes.trouble]),
    ...providers.flatMap(
      (provider) => provider.remarks?.(store.ledger()[provider.id] ?? {}, ports.now()) ?? [],
    ),
    ...pieces.names.troubles(),
    ...pieces.certifier.troubles(),
    ...[tokens, announcer, pieces.mapper, canary, notifier, watchAsker, metrics].flatMap((one) =>
      one.remarks(),
    ),
    ...silentProblems(pieces.engine.desired),
  ];
  const reporter = new StatusReporter({ ...pieces, providers, clock, file, notices, nodeWatch });
  const enrolment = new Enrolment({ ...pieces, providers });
  const devices = new Devices({ ...pieces, providers, enrolment, tokens });
  const { log } = ports;
  const relays = new Relays({ ...ports, ...pieces });
  const owners = { notifier, canary, devices, tokens, relays, reporter };
  const control = createControl({ ...pieces, ...owners, providers });
  const wanted = (): string | undefined => pieces.engine.desired?.metrics;
  const metrics = new MetricsPort({ wanted, measure: () => control.metrics(), log });
  const settling: readonly [Settling, string][] = [
    [tokens, 'nodes were not asked to take back what is over'],
    [nodeWatch, 'nodes were not asked whether they are locked'],
    [announcer, 'a new public address was not told to everybody'],
    [notifier, 'nobody was told what is wrong'],
    [watchAsker, 'relays were not told whom to tell when this home dies'],
    [canary, 'the router was not tried from outside'],
    [metrics, 'metrics cannot be read at their port'],
    ...createRelayTasks(pieces),
  ];
  const recurring = [
    new Recurring((signal) => devices.expire(signal), 'a device whose time is over was not revoked yet', log),
    new Recurring(() => pieces.certifier.tick(), 'certificates were not looked after', log),
    ...settling.map(([task, failed]) => new Recurring((signal) => task.settle(signal), failed, log)),
  ];
  return { control, metrics, recurring };
}

function createAnnouncer({ paths, ports, engine, record }: Pieces): Announcer {
  const announced = new Announced(paths.announced, ports.log);
  return new Announcer({ desired: () => engine.desired, announced, ports, record });
}

/** The network while some service leaves by itself. */
function leavingIn({ desired }: Engine): Network | undefined {
  return desired?.services.some(({ egress }) => egress !== undefined) === true ? desired.network : undefined;
}

/** Those that no way in shows. */
function silentProblems(desired: Desired | undefined): string[] {
  const shown = new Set((desired?.exposures ?? []).flatMap(({ problem }) => problem?.message ?? []));
  return (desired?.problems ?? [])
    .filter(({ message }) => !shown.has(message))
    .map(({ message, hint }) => (hint === undefined ? message : `${message}; ${hint}`));
}
