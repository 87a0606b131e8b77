import { canarySentence, type CanaryReport } from '../core/canary.ts';
import type { Provider } from '../core/contract.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import { isPublicUnicast } from '../core/inet.ts';
import { portKey, type MappingReport } from '../core/mapper.ts';
import type { MappingDriver, MappingProtocol } from '../core/mapping.ts';
import type { Ports } from '../core/ports.ts';
import { withCanary } from '../system/canary.ts';
import { findHomeNetwork } from '../system/mapping/home-network.ts';
import { NatPmpDriver } from '../system/mapping/nat-pmp.ts';
import { PcpDriver } from '../system/mapping/pcp.ts';
import { UpnpDriver } from '../system/mapping/upnp.ts';
import type { Engine } from '../engine/engine.ts';
import type { Recorder } from './journal.ts';

export interface CanaryWatchOptions {
  readonly engine: Engine;
  readonly ports: Ports;
  readonly providers: readonly Provider[];
  readonly record: Recorder;
}

/** A look takes half a minute of three exits: not more often than needed. */
const AGAIN_MS = { yes: 6 * 3_600_000, no: 30 * 60_000, unknown: 10 * 60_000 } as const;
/** Exits that were lost on the way say nothing of the router: others are asked soon, then ever more seldom. */
const FIRST_AGAIN_MS = 20_000;

const ASK_TOR_MS = 10_000;

const DRIVERS: Readonly<Record<MappingProtocol, (router: string) => MappingDriver>> = {
  pcp: (router) => new PcpDriver(router),
  'nat-pmp': (router) => new NatPmpDriver(router),
  upnp: (router) => new UpnpDriver(router),
};

/** What stands in the router's table, where somebody may wonder. */
const DESCRIPTION = 'gateway test';

interface Candidate {
  readonly protocol: MappingProtocol;
  readonly router: string;
  readonly externalAddress: string;
}

/** Has strangers try the router of a UDP port that nobody else can try. */
export class CanaryWatch {
  readonly #options: CanaryWatchOptions;
  #candidate: Candidate | undefined;
  #latest: { readonly key: string; readonly report: CanaryReport } | undefined;
  #askedTorAt = -Infinity;
  /** In a row. */
  #unknowns = 0;

  constructor(options: CanaryWatchOptions) {
    this.#options = options;
  }

  async settle(signal: AbortSignal): Promise<void> {
    const candidate = await this.#find();
    this.#candidate = candidate;
    if (candidate === undefined || !this.#isDue(candidate) || !(await this.#hasTor(signal))) return;
    const found = await this.#look(candidate, signal);
    const { now } = this.#options.ports;
    const report = { router: candidate.router, ...found, at: new Date(now()).toISOString() };
    this.#latest = { key: keyOf(candidate), report };
    this.#unknowns = report.reachable === 'unknown' ? this.#unknowns + 1 : 0;
    this.#options.record('mapping.tried', canarySentence(report), { ...report });
  }

  /** `null` while there is nothing to say, or somebody better to ask. */
  report(): CanaryReport | null {
    const candidate = this.#candidate;
    return candidate !== undefined && keyOf(candidate) === this.#latest?.key ? this.#latest.report : null;
  }

  /** Sentences for the owner. */
  remarks(): string[] {
    const report = this.report();
    return report?.reachable === 'no' ? [canarySentence(report)] : [];
  }

  /**
   * The router of a UDP port that is mapped and not proved, where no relay could look, and whose services let strangers
   * know the address of the home: exits learn it.
   */
  async #find(): Promise<Candidate | undefined> {
    const { engine, ports } = this.#options;
    const relays = engine.desired?.relays ?? [];
    const kept = relays.length > 0 ? [] : await ports.mapper.kept();
    return kept
      .filter(({ spec }) => spec.transport === 'udp' && this.#isOpenAndUnproved(portKey(spec)))
      .flatMap(({ report }) => candidateOf(report))[0];
  }

  #isOpenAndUnproved(key: string): boolean {
    const { engine, providers } = this.#options;
    const resources = engine.desired?.resources.get('ports') ?? [];
    const needing = resources.find((resource) => resource.key === `mapping:${key}`)?.neededBy ?? [];
    const ways = providers.filter(({ capabilities }) => capabilities.needsOpenPort);
    const isProved = needing.some((service) =>
      ways.some(({ id }) => engine.health.latest(`${service}/${id}`)?.reachable === 'yes'),
    );
    const open = engine.desired?.services.filter(({ privacy }) => privacy === 'open') ?? [];
    return !isProved && open.some(({ name }) => needing.includes(name));
  }

  #isDue(candidate: Candidate): boolean {
    if (this.#latest?.key !== keyOf(candidate)) return true;
    const { reachable, at } = this.#latest.report;
    const soonMs = reachable === 'unknown' ? FIRST_AGAIN_MS * 3 ** (this.#unknowns - 1) : Infinity;
    return this.#options.ports.now() - Date.parse(at) >= Math.min(soonMs, AGAIN_MS[reachable]);
  }

  /** The router is not bothered before anybody could look. */
  async #hasTor(signal: AbortSignal): Promise<boolean> {
    const now = this.#options.ports.now();
    if (now - this.#askedTorAt < ASK_TOR_MS) return false;
    this.#askedTorAt = now;
    try {
      const said = await this.#options.ports.tor.tor.command('GETINFO status/circuit-established', signal);
      return said.includes('status/circuit-established=1');
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
      return false;
    }
  }

  async #look(
    { protocol, router, externalAddress }: Candidate,
    signal: AbortSignal,
  ): Promise<Pick<CanaryReport, 'reachable' | 'detail'>> {
    const { ports, record } = this.#options;
    const network = await findHomeNetwork();
    if (network?.router !== router)
      return { reachable: 'unknown', detail: 'this machine has another router now' };
    const left = (_: unknown, error: unknown): void =>
      record(
        'mapping.left',
        `the TCP port of a test could not be closed in the router ${router}: ${messageOf(error)}`,
      );
    const options = {
      driver: DRIVERS[protocol](router),
      address: network.address,
      description: DESCRIPTION,
      left,
    };
    try {
      return await withCanary(
        options,
        async ({ externalPort, send, isProof }) => {
          const target = { host: externalAddress, port: externalPort };
          const { reachable, detail } = await ports.exits.probeTcp({ ...target, send, isProof }, signal);
          return { reachable, detail };
        },
        signal,
      );
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted) throw error;
      return { reachable: 'unknown', detail: error.message };
    }
  }
}

function keyOf({ router, externalAddress }: Candidate): string {
  return `${router} ${externalAddress}`;
}

function candidateOf({ state, protocol, router, externalAddress, through = [] }: MappingReport): Candidate[] {
  // A test port would be open in the nearest of several routers alone.
  if (through.length > 0) return [];
  if (state !== 'held' || protocol === null || router === null || externalAddress === null) return [];
  return isPublicUnicast(externalAddress) ? [{ protocol, router, externalAddress }] : [];
}
