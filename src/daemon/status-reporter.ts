import type { Provider } from '../core/contract.ts';
import type { Desired } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import type { Listener } from '../core/namespace-operations.ts';
import type { Ports } from '../core/ports.ts';
import type { Network, Service } from '../core/service.ts';
import type { Status } from '../core/status.ts';
import { liveTokens } from '../core/tokens.ts';
import type { ConditionClock } from '../engine/conditions.ts';
import type { Engine } from '../engine/engine.ts';
import type { World } from '../engine/reconciler.ts';
import { arrivalsAt, judgeListeners, reportStatus, type Listening } from '../engine/report.ts';
import type { Store } from '../engine/store.ts';
import type { NodeWatch } from './node-watch.ts';
import type { ConfigFile } from './config-file.ts';

export interface StatusReporterOptions {
  readonly engine: Engine;
  readonly store: Store;
  readonly ports: Ports;
  readonly providers: readonly Provider[];
  readonly clock: ConditionClock;
  readonly file: ConfigFile;
  readonly nodeWatch: NodeWatch;
  /** Sentences about the whole gateway: 'state was taken from the snapshot'. */
  readonly notices: () => readonly string[];
}

const TIMEOUT_MS = 20_000;

/** Looks at the world and says how it is. Nothing is remembered but when a condition last changed. */
export class StatusReporter {
  readonly #options: StatusReporterOptions;
  /** Services at whose port nothing listened when we last looked. */
  readonly #silent = new Set<string>();

  constructor(options: StatusReporterOptions) {
    this.#options = options;
  }

  async observe(): Promise<World> {
    const { engine } = this.#options;
    if (engine.desired === undefined) return new Map();
    return engine.observe(engine.desired.network, AbortSignal.timeout(TIMEOUT_MS));
  }

  async report(): Promise<Status> {
    const { engine, store, providers, clock, file, notices } = this.#options;
    const current = store.generations().find((generation) => generation.current);
    const [seen, listening, text] = await Promise.all([this.#look(), this.#listening(), file.read()]);
    return reportStatus({
      desired: engine.desired,
      world: seen.world,
      failed: engine.failed,
      providers,
      devices: store.devices(),
      tokens: liveTokens(store.ledger()),
      health: engine.health,
      fallbacks: engine.fallbacks,
      clock,
      listening,
      unlocked: this.#options.nodeWatch.found(),
      generation: current?.number ?? null,
      isDown: store.isDown(),
      fileDiffers: (text ?? '') !== (store.generationConfig() ?? ''),
      notices: [...notices(), ...seen.notices],
    });
  }

  /** A helper that does not answer must not hide the rest of the status. */
  async #look(): Promise<{ world: World; notices: string[] }> {
    try {
      return { world: await this.observe(), notices: [] };
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const next = error.hint === undefined ? '' : `; ${error.hint}`;
      return { world: new Map(), notices: [`the machine could not be looked at: ${error.message}${next}`] };
    }
  }

  async #listening(): Promise<ReadonlyMap<string, Listening>> {
    const desired = this.#options.engine.desired;
    if (desired === undefined) return new Map();
    const answers = await this.#askAbout(
      desired.services.filter(({ place }) => place.type !== 'target').map(({ name }) => name),
      desired.network,
    );
    const ways = this.#waysByService(desired);
    const listening = new Map(
      desired.services.map((service) => {
        const heard = answers.get(service.name);
        return [service.name, listeningOf(service, ways.get(service.name) ?? [], heard)] as const;
      }),
    );
    for (const [name, { status }] of listening) this.#notice(name, status);
    return listening;
  }

  /** A service that was started is visited at once: its owner waits for that. */
  #notice(service: string, listening: Listening['status']): void {
    if (listening === 'yes' && this.#silent.delete(service)) this.#options.engine.health.retry(service);
    if (listening === 'no') this.#silent.add(service);
  }

  #waysByService({ exposures }: Desired): ReadonlyMap<string, readonly Provider[]> {
    const accepted = exposures.filter(({ problem }) => problem === undefined);
    const byService = Map.groupBy(accepted, ({ service }) => service.name);
    return new Map(
      [...byService].map(([name, ways]) => {
        const ids = new Set(ways.map(({ provider }) => provider));
        return [name, this.#options.providers.filter(({ id }) => ids.has(id))];
      }),
    );
  }

  /** By service: what listens, or why that cannot be told. */
  async #askAbout(
    services: readonly string[],
    network: Network,
  ): Promise<ReadonlyMap<string, readonly Listener[] | Unheard>> {
    if (services.length === 0) return new Map();
    try {
      const input = { network, services: [...services] };
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const { found, failed } = await this.#options.ports.helper.call('namespace.listeners', input, signal);
      return new Map<string, readonly Listener[] | Unheard>([
        ...found.map(({ service, listeners }) => [service, listeners] as const),
        ...failed.map(({ service, code, message }) => [service, { code, message }] as const),
      ]);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const { code, message } = error;
      return new Map(services.map((service) => [service, { code, message }]));
    }
  }
}

interface Unheard {
  readonly code: string;
  readonly message: string;
}

function listeningOf(
  service: Service,
  ways: readonly Provider[],
  heard: readonly Listener[] | Unheard | undefined,
): Listening {
  if (service.place.type === 'target') {
    const message = `on another machine (${service.place.host}): it is not looked at`;
    return { status: 'unknown', message };
  }
  if (heard === undefined) return { status: 'unknown', message: 'not looked at yet' };
  if ('code' in heard) {
    return { status: heard.code === 'NamespaceMissing' ? 'no' : 'unknown', message: heard.message };
  }
  return judgeListeners(service, arrivalsAt(service, ways), heard);
}
