import type { Provider } from '../core/contract.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Ports } from '../core/ports.ts';
import type { Network, Service } from '../core/service.ts';
import type { DeviceStatus, Status } from '../core/status.ts';
import type { ConditionClock } from '../engine/conditions.ts';
import type { Engine } from '../engine/engine.ts';
import type { World } from '../engine/reconciler.ts';
import { arrivalsAt, judgeListeners, reportStatus, type Listening } from '../engine/report.ts';
import type { Store } from '../engine/store.ts';
import type { ConfigFile } from './config-file.ts';

export interface StatusReporterOptions {
  readonly engine: Engine;
  readonly store: Store;
  readonly ports: Ports;
  readonly providers: readonly Provider[];
  readonly clock: ConditionClock;
  readonly file: ConfigFile;
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
      health: engine.health,
      clock,
      listening,
      generation: current?.number ?? null,
      isDown: store.isDown(),
      fileDiffers: (text ?? '') !== (store.generationConfig() ?? ''),
      notices: [...notices(), ...seen.notices],
    });
  }

  async device(name: string): Promise<DeviceStatus> {
    const found = (await this.report()).devices.find((device) => device.name === name);
    if (found !== undefined) return found;
    throw new GatewayError(`there is no device ${name}`, { code: 'DeviceUnknown' });
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
    const entries = desired.services.map(
      async (service) => [service.name, await this.#listeningOf(service, desired.network)] as const,
    );
    const listening = new Map(await Promise.all(entries));
    for (const [name, { status }] of listening) this.#notice(name, status);
    return listening;
  }

  /** A service that was started is visited at once: its owner waits for that. */
  #notice(service: string, listening: Listening['status']): void {
    if (listening === 'yes' && this.#silent.delete(service)) this.#options.engine.health.retry(service);
    if (listening === 'no') this.#silent.add(service);
  }

  #waysOf({ name }: Service): Provider[] {
    const { engine, providers } = this.#options;
    const exposures = (engine.desired?.exposures ?? []).filter(
      ({ service, problem }) => service.name === name && problem === undefined,
    );
    return providers.filter(({ id }) => exposures.some(({ provider }) => provider === id));
  }

  async #listeningOf(service: Service, network: Network): Promise<Listening> {
    if (service.place.type === 'target') {
      return {
        status: 'unknown',
        message: `on another machine (${service.place.host}): it is not looked at`,
      };
    }
    try {
      const input = { network, service: service.name };
      const { listeners } = await this.#options.ports.helper.call(
        'namespace.listeners',
        input,
        AbortSignal.timeout(TIMEOUT_MS),
      );
      return judgeListeners(service, arrivalsAt(service, this.#waysOf(service)), listeners);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const isGone = error.code === 'NamespaceMissing';
      return { status: isGone ? 'no' : 'unknown', message: messageOf(error) };
    }
  }
}
