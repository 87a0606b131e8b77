import { GatewayError, messageOf } from '../../core/errors.ts';
import {
  portKey,
  type MappingReport,
  type Mapper,
  type PortSpec,
  type RouterLook,
} from '../../core/mapper.ts';
import type { LeaseCheck } from '../../core/mapping.ts';
import type { Visit } from '../../core/mapping-doubt.ts';
import type { Through } from '../../core/through.ts';
import type { Log } from '../../core/ports.ts';
import { Chain, type ChainOptions } from './chain.ts';
import type { PortMapper } from './port-mapper.ts';

export interface HomeMapperOptions {
  /** Of the router that this machine is behind; `changed` is called when something that is shown is another. */
  readonly near: (changed: () => void) => PortMapper;
  /** Of the router's IPv6 firewall. */
  readonly pinholes: PortMapper;
  readonly chain: Omit<ChainOptions, 'near' | 'changed'>;
  readonly log: Log;
  readonly changed: () => void;
}

/** Every router of this home: the one that it is behind, and those farther out that the owner allowed to be asked. */
export class HomeMapper implements Mapper {
  readonly #near: PortMapper;
  readonly #pinholes: PortMapper;
  readonly #chain: Chain;
  readonly #abort = new AbortController();
  readonly #log: Log;

  constructor({ near, pinholes, chain, log, changed }: HomeMapperOptions) {
    this.#pinholes = pinholes;
    this.#log = log;
    const followed = (): void => {
      changed();
      this.#follow();
    };
    this.#near = near(followed);
    this.#chain = new Chain({ ...chain, near: this.#near, changed: followed });
  }

  async kept(): ReturnType<Mapper['kept']> {
    const [kept, pinholes] = await Promise.all([this.#near.kept(), this.#pinholes.kept()]);
    return await Promise.all(
      kept.map(async ({ spec, report }) => {
        const found = pinholes.find((each) => portKey(each.spec) === portKey(spec));
        const pinhole = this.#pinholes.hasRouter ? found : undefined;
        return {
          spec,
          report: {
            ...throughAll(report, await this.#chain.reports(report)),
            ...(pinhole === undefined ? {} : { pinhole: pinhole.report }),
          },
        };
      }),
    );
  }

  async keep(spec: PortSpec, signal: AbortSignal): Promise<void> {
    await this.#keepPinhole(spec, signal);
    await this.#near.keep(spec, signal);
    await this.#chain.sync(signal);
  }

  async release(spec: PortSpec, signal: AbortSignal): Promise<void> {
    await this.#pinholes.release(spec, signal);
    await this.#near.release(spec, signal);
    await this.#chain.sync(signal);
  }

  look(signal: AbortSignal): Promise<RouterLook> {
    return this.#near.look(signal);
  }

  async visited(visit: Visit, signal: AbortSignal): Promise<void> {
    const kept = (await this.#near.kept()).find(({ spec }) => portKey(spec) === portKey(visit.port));
    if (kept === undefined) return;
    const { externalPort } = kept.report;
    const farther = await this.#chain.reports(kept.report);
    if (farther.length === 0) return this.#near.visited(visit, signal);
    const own = { ...visit, externalPort: externalPort ?? 0, mayMove: false };
    await this.#near.visited(own, signal);
    await this.#chain.visited(visit, kept.report, signal);
  }

  through(): Promise<Through | undefined> {
    return this.#chain.through();
  }

  openThrough(through: Through, signal: AbortSignal): Promise<void> {
    return this.#chain.open(through, signal);
  }

  closeThrough(signal: AbortSignal): Promise<void> {
    return this.#chain.close(signal);
  }

  remarks(): readonly string[] {
    return [...this.#near.remarks(), ...this.#chain.remarks()];
  }

  /** The router said something by itself. */
  announced(router: string, said: LeaseCheck): void {
    this.#near.announced(router, said);
    this.#pinholes.announced(router, said);
  }

  async close(): Promise<void> {
    this.#abort.abort(new GatewayError('the gateway is stopping', { code: 'Aborted', retry: 'never' }));
    await this.#near.close();
    await this.#pinholes.close();
    await this.#chain.stop();
  }

  /** Nobody waits for it: few routers have it, and the rest are asked in vain for seconds. */
  async #keepPinhole(spec: PortSpec, signal: AbortSignal): Promise<void> {
    // Nothing is translated: where another port is dialled, nobody would come in by this one.
    if (spec.port !== spec.externalPort) return this.#pinholes.release(spec, signal);
    this.#pinholes.keep(spec, this.#abort.signal).catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.#log('error', 'other routers were not asked', { error: messageOf(error) });
  }

  /** What one router gives is what the next is asked for. */
  #follow(): void {
    this.#chain.sync(this.#abort.signal).catch((error: unknown) => this.#failed(error));
  }
}

/** What the world sees is what the outermost gave, once all before it have given too. */
function throughAll(near: MappingReport, farther: readonly MappingReport[]): MappingReport {
  const outermost = farther.at(-1);
  if (outermost === undefined) return near;
  const missing = [near, ...farther].find(({ state }) => state !== 'held');
  const { externalAddress, externalPort, problem, hint } = missing ?? outermost;
  const state = missing?.state ?? 'held';
  return { ...near, state, externalAddress, externalPort, problem, hint, through: [...farther] };
}
