import { isPublicUnicast } from '../../core/inet.ts';
import { portKey, type MappingReport, type PortSpec } from '../../core/mapper.ts';
import type { MappingDriver } from '../../core/mapping.ts';
import type { Visit } from '../../core/mapping-doubt.ts';
import type { Hop, Through } from '../../core/through.ts';
import { Turn } from '../../core/turn.ts';
import type { HomeNetwork } from './home-network.ts';
import type { PortMapperOptions } from './mapper-options.ts';
import { MemoryFile } from './memory.ts';
import { PortMapper } from './port-mapper.ts';
import { ThroughFile } from './through-file.ts';

export interface ChainOptions extends Pick<
  PortMapperOptions,
  'now' | 'random' | 'record' | 'log' | 'changed'
> {
  /** What its files' paths begin with. */
  readonly stem: string;
  /** Where this machine is. */
  readonly network: () => Promise<HomeNetwork | undefined>;
  /** How a router farther out is asked. */
  readonly drivers: (network: HomeNetwork) => readonly MappingDriver[];
  /** What the router before them keeps. */
  readonly near: Pick<PortMapper, 'kept'>;
}

interface Level {
  readonly hop: Hop;
  readonly mapper: PortMapper;
  /** The outer address of the router before it, as that one said last. */
  asker: string | undefined;
}

/** Where nobody told the address that a router sees: only NAT-PMP, which takes the packet's own, can be asked then. */
export const UNKNOWN_ASKER = '0.0.0.0';

/**
 * Routers farther out than ours, which the owner allowed to be asked: each maps to the outer address of the one before it,
 * so that a port leads through all. Each has a mapper of its own, which asks it by unicast, renews, and heals.
 */
export class Chain {
  readonly #options: ChainOptions;
  readonly #file: ThroughFile;
  readonly #turn = new Turn();
  #through: Through | undefined;
  #levels: readonly Level[] = [];
  #loaded: Promise<void> | undefined;

  constructor(options: ChainOptions) {
    this.#options = options;
    this.#file = new ThroughFile(`${options.stem}-through.json`);
  }

  /** What the owner allowed. */
  async through(): Promise<Through | undefined> {
    await this.#load();
    return this.#through;
  }

  /** The owner allows it; resolves once each was asked. What was allowed before is undone first. */
  async open(through: Through, signal: AbortSignal): Promise<void> {
    await this.close(signal);
    await this.#file.write(through);
    this.#use(through);
    await this.sync(signal);
  }

  /** Undoes it: every port farther out is closed, the outermost first, and nobody there is asked again. */
  async close(signal: AbortSignal): Promise<void> {
    await this.#load();
    await this.#turn.take(async () => {
      for (const { mapper } of this.#levels.toReversed()) {
        for (const { spec } of await mapper.kept()) await mapper.release(spec, signal);
        await mapper.close();
      }
      this.#use(undefined);
      await this.#file.write(undefined);
    });
  }

  /** Has each router farther out open what the one before it opened, and close the rest. */
  async sync(signal: AbortSignal): Promise<void> {
    await this.#load();
    await this.#turn.take(async () => {
      if ((await this.#options.network())?.router !== this.#through?.first) return;
      let inner = await this.#options.near.kept();
      let isLasting = true;
      for (const { mapper } of this.#levels) {
        const wanted = inner.flatMap(wantedFarther);
        // What a router before it lost for a moment stays open here.
        isLasting &&= inner.every(({ report }) => report.state === 'held');
        if (isLasting) await releaseOthers(mapper, wanted, signal);
        await keepAll(mapper, wanted, signal);
        inner = await farther(inner, mapper);
      }
    });
  }

  /** What each router farther out says of a port that ours opened, nearest first. */
  async reports(near: MappingReport): Promise<MappingReport[]> {
    await this.#load();
    // Behind another router those that were allowed are somewhere else.
    if (near.router !== this.#through?.first) return [];
    const reports: MappingReport[] = [];
    let inner = near;
    for (const { mapper } of this.#levels) {
      const kept = await mapper.kept();
      const found = kept.find(
        ({ spec }) => spec.transport === near.transport && spec.port === inner.externalPort,
      );
      if (found === undefined) break;
      reports.push(found.report);
      inner = found.report;
    }
    return reports;
  }

  /** A visit that had to come in through all: the outermost may move, the others lead where they did. */
  async visited(visit: Visit, near: MappingReport, signal: AbortSignal): Promise<void> {
    const reports = await this.reports(near);
    let inner = near;
    for (const [index, report] of reports.entries()) {
      const isOutermost = index === reports.length - 1;
      const { externalPort } = isOutermost ? visit : report;
      const port = { transport: visit.port.transport, port: inner.externalPort ?? 0 };
      const own = { ...visit, port, externalPort: externalPort ?? 0, mayMove: visit.mayMove && isOutermost };
      await this.#levels[index]?.mapper.visited(own, signal);
      inner = report;
    }
  }

  remarks(): readonly string[] {
    return this.#levels.flatMap(({ mapper }) => mapper.remarks());
  }

  /** Ends the daemon's part: what is open stays. */
  async stop(): Promise<void> {
    for (const { mapper } of this.#levels) await mapper.close();
  }

  #load(): Promise<void> {
    this.#loaded ??= this.#file.read().then((through) => this.#use(through));
    return this.#loaded;
  }

  #use(through: Through | undefined): void {
    this.#through = through;
    const hops = through?.hops ?? [];
    this.#levels = hops.map((hop, index) => ({ hop, mapper: this.#mapperAt(index), asker: undefined }));
  }

  #mapperAt(index: number): PortMapper {
    const { now, random, record, log, changed, drivers, stem } = this.#options;
    return new PortMapper({
      now,
      random,
      record,
      log,
      changed,
      drivers,
      network: () => this.#networkAt(index),
      file: new MemoryFile(`${stem}-through-${index + 1}.json`),
    });
  }

  /** Asked only behind the router that the owner's yes was given for: its neighbours' addresses are common ones. */
  async #networkAt(index: number): Promise<HomeNetwork | undefined> {
    const level = this.#levels[index];
    const network = await this.#options.network();
    if (level === undefined || network?.router !== this.#through?.first) return undefined;
    const before = index === 0 ? this.#options.near : this.#levels[index - 1]?.mapper;
    const outside = (await before?.kept())?.[0]?.report.externalAddress;
    // Some tell the address that the whole chain has (STUN), not their own.
    if (typeof outside === 'string' && !isPublicUnicast(outside)) level.asker = outside;
    return { router: level.hop.router, address: level.asker ?? level.hop.asker ?? UNKNOWN_ASKER };
  }
}

type Kept = Awaited<ReturnType<PortMapper['kept']>>[number];

function wantedFarther({ spec, report }: Kept): PortSpec[] {
  const { transport, externalPort: port, state } = report;
  return state === 'held' && port !== null ? [{ transport, port, externalPort: spec.externalPort }] : [];
}

async function releaseOthers(
  mapper: PortMapper,
  wanted: readonly PortSpec[],
  signal: AbortSignal,
): Promise<void> {
  const keys = new Set(wanted.map(portKey));
  for (const { spec } of await mapper.kept()) {
    if (!keys.has(portKey(spec))) await mapper.release(spec, signal);
  }
}

async function keepAll(mapper: PortMapper, wanted: readonly PortSpec[], signal: AbortSignal): Promise<void> {
  const kept = new Map((await mapper.kept()).map(({ spec }) => [portKey(spec), spec.externalPort]));
  for (const spec of wanted) {
    if (kept.get(portKey(spec)) !== spec.externalPort) await mapper.keep(spec, signal);
  }
}

/** The same ports, as the next router has them. */
async function farther(inner: readonly Kept[], mapper: PortMapper): Promise<Kept[]> {
  const kept = await mapper.kept();
  return inner.flatMap(({ spec, report }) => {
    const found = kept.find(
      (each) => each.spec.transport === spec.transport && each.spec.port === report.externalPort,
    );
    return found === undefined ? [] : [{ spec, report: found.report }];
  });
}
