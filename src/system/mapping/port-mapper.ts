import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { portKey, type Mapper, type PortSpec, type RouterLook } from '../../core/mapper.ts';
import type { Lease, LeaseCheck } from '../../core/mapping.ts';
import {
  begin,
  given,
  looked,
  lost,
  nameOf,
  nextStep,
  refused,
  unseen,
  type PortState,
} from '../../core/mapping-lease.ts';
import { reportOf, sentenceOf, summaryOf, troubleOf } from '../../core/mapping-report.ts';
import { Turn } from '../../engine/turn.ts';
import { askDrivers } from './ask-drivers.ts';
import type { HomeNetwork } from './home-network.ts';
import { emptyMemory, restored, storedOf, type Memory } from './memory.ts';
import type { PortMapperOptions } from './mapper-options.ts';
import { RouterDrivers } from './router-drivers.ts';

/** Whether router and address are still the same is looked at this often; it costs no packet. */
const NETWORK_MS = 5000;
/** `up` waits for the router's first answer so long at most. */
const FIRST_ANSWER_MS = 20_000;
const RELEASE_MS = 5000;
/** What is announced in the router's name is heard this often at most. */
const ANNOUNCED_MS = 2000;

/** Drives the leases (core/mapping-lease.ts) with real time and a real router: one question at a time, one timer. */
export class PortMapper implements Mapper {
  readonly #options: PortMapperOptions;
  readonly #turn = new Turn();
  readonly #drivers: RouterDrivers;
  readonly #ports = new Map<string, PortState>();
  readonly #abort = new AbortController();
  #memory: Memory = emptyMemory();
  #loaded: Promise<void> | undefined;
  #network: HomeNetwork | undefined;
  #timer: NodeJS.Timeout | undefined;
  #announcedAt = 0;

  constructor(options: PortMapperOptions) {
    this.#options = options;
    this.#drivers = new RouterDrivers(options.drivers);
  }

  async kept() {
    await this.#load();
    return [...this.#ports.values()].map((state) => ({ spec: state.spec, report: reportOf(state) }));
  }

  async keep(spec: PortSpec, signal: AbortSignal): Promise<void> {
    await this.#load();
    const before = await this.#closedWhenMoved(spec, signal);
    const fresh = begin(spec, before?.nonce ?? randomBytes(12).toString('hex'), this.#options.now());
    this.#ports.set(portKey(spec), { ...fresh, held: before?.held });
    const until = AbortSignal.any([signal, AbortSignal.timeout(FIRST_ANSWER_MS)]);
    try {
      await this.#turn.take(() => this.#work(until));
    } catch (error) {
      // Nobody waits any longer, but it is asked on.
      if (signal.aborted || !until.aborted) throw error;
    }
  }

  /** What is kept for it so far. A router has one mapping for a port inside: another port outside is another mapping. */
  async #closedWhenMoved(spec: PortSpec, signal: AbortSignal): Promise<PortState | undefined> {
    const before = this.#ports.get(portKey(spec));
    const lease = before?.held?.lease;
    if (before === undefined || lease === undefined || before.spec.externalPort === spec.externalPort)
      return before;
    await this.#turn.take(() => this.#unmap(before, lease, signal));
    return { ...before, held: undefined };
  }

  async release(spec: PortSpec, signal: AbortSignal): Promise<void> {
    await this.#load();
    await this.#turn.take(async () => {
      const state = this.#ports.get(portKey(spec));
      this.#ports.delete(portKey(spec));
      if (state?.held !== undefined) await this.#unmap(state, state.held.lease, signal);
      await this.#follow();
      await this.#save();
      this.#schedule();
    });
  }

  async look(signal: AbortSignal): Promise<RouterLook> {
    await this.#load();
    const network = await this.#options.network();
    if (network === undefined) return { router: null, table: null };
    return {
      router: network.router,
      table: await this.#drivers.table(network, this.#description(), signal),
    };
  }

  /** The router said something by itself; `router` is where it came from. */
  announced(router: string, said: LeaseCheck): void {
    const { now } = this.#options;
    if (router !== this.#network?.router || now() - this.#announcedAt < ANNOUNCED_MS) return;
    this.#announcedAt = now();
    for (const [key, state] of this.#ports) this.#take(key, state, said);
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#abort.abort(new GatewayError('the gateway is stopping', { code: 'Aborted', retry: 'never' }));
    await this.#turn.take(() => Promise.resolve());
    clearTimeout(this.#timer);
    this.#options.moved?.(undefined);
  }

  #load(): Promise<void> {
    this.#loaded ??= this.#turn.take(async () => {
      this.#memory = await this.#options.file.read();
      const now = this.#options.now();
      for (const port of this.#memory.ports) this.#ports.set(portKey(port.spec), restored(port, now));
      await this.#follow();
      this.#schedule();
    });
    return this.#loaded;
  }

  /** The one timer: for the next thing that is due, or to look where we are. */
  #schedule(atLeastMs = 0): void {
    clearTimeout(this.#timer);
    if (this.#ports.size === 0 || this.#abort.signal.aborted) return;
    const due = Math.min(...[...this.#ports.values()].map((state) => nextStep(state).at));
    const wait = Math.min(Math.max(due - this.#options.now(), atLeastMs), NETWORK_MS);
    this.#timer = setTimeout(() => {
      this.#turn.take(() => this.#work(this.#abort.signal)).catch((error: unknown) => this.#failed(error));
    }, wait);
    // A daemon that ends does not wait for a lease.
    this.#timer.unref();
  }

  #failed(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.#options.log('error', 'looking after port mappings failed', { error: messageOf(error) });
  }

  /** Everything that is due; then the next timer. */
  async #work(signal: AbortSignal): Promise<void> {
    const until = AbortSignal.any([signal, this.#abort.signal]);
    try {
      await this.#follow();
      for (const key of this.#ports.keys()) await this.#step(key, until);
      await this.#save();
    } catch (error) {
      // What is due still is: not at once, or a fault would be met without end.
      this.#schedule(NETWORK_MS);
      throw error;
    }
    this.#schedule();
  }

  async #step(key: string, signal: AbortSignal): Promise<void> {
    const { now } = this.#options;
    const state = this.#ports.get(key);
    if (state === undefined) return;
    const { action, at } = nextStep(state);
    if (at > now()) return;
    if (action === 'check') return this.#check(key, state, signal);
    if (action === 'ask') return this.#ask(key, state, signal);
    this.#lose(key, state, 'its lease ended before the router answered');
    return this.#step(key, signal);
  }

  async #ask(key: string, state: PortState, signal: AbortSignal): Promise<void> {
    const { now, random, record } = this.#options;
    const network = this.#network;
    const asked = network === undefined ? { refusals: [] } : await this.#askDrivers(state, network, signal);
    if (asked.lease === undefined) {
      const next = refused(state, troubleOf(asked.refusals), now());
      this.#set(key, next);
      if (state.failures === 0 && state.held === undefined) {
        record(
          'mapping.failed',
          `${nameOf(state.spec)} could not be mapped: ${next.trouble?.message ?? ''}`,
          {
            port: key,
          },
        );
      }
      return;
    }
    const { lease } = asked;
    const { protocol, router, lifetimeSeconds } = lease;
    this.#memory.routers = { [router]: { protocol, permanentOnly: lifetimeSeconds === 0 } };
    const next = given(state, lease, now(), random());
    this.#set(key, next);
    if (state.held === undefined || summaryOf(state) !== summaryOf(next)) {
      record('mapping.made', sentenceOf(next), { port: key, protocol, router });
    }
  }

  #askDrivers(state: PortState, network: HomeNetwork, signal: AbortSignal) {
    const known = this.#memory.routers[network.router];
    return askDrivers(
      {
        state,
        network,
        drivers: this.#drivers.in(network),
        known: known?.protocol,
        permanentOnly: known?.permanentOnly ?? false,
        description: this.#description(),
      },
      signal,
    );
  }

  async #check(key: string, state: PortState, signal: AbortSignal): Promise<void> {
    const lease = state.held?.lease;
    const said = lease === undefined ? undefined : await this.#drivers.check(lease, signal);
    if (said === undefined) this.#set(key, unseen(state, this.#options.now()));
    else this.#take(key, state, said);
    await this.#step(key, signal);
  }

  #take(key: string, before: PortState, said: LeaseCheck): void {
    const { state, why } = looked(before, said, this.#options.now());
    if (why !== undefined && state.held === undefined) this.#lose(key, before, why);
    else this.#set(key, state);
  }

  #lose(key: string, state: PortState, why: string): void {
    this.#options.record('mapping.lost', `${nameOf(state.spec)} is not mapped any more: ${why}`, {
      port: key,
    });
    this.#set(key, lost(state, this.#options.now()));
  }

  #set(key: string, state: PortState): void {
    const before = this.#ports.get(key);
    if (before === undefined) return;
    this.#ports.set(key, state);
    if (summaryOf(before) !== summaryOf(state)) this.#options.changed();
  }

  /** Another router, or another address of ours: what the old one mapped leads nowhere now. */
  async #follow(): Promise<void> {
    // With nothing to keep open, no group is joined either: that would be seen on the network.
    const network = this.#ports.size === 0 ? undefined : await this.#options.network();
    const isSame = isDeepStrictEqual(network, this.#network);
    this.#network = network;
    if (isSame) return;
    this.#options.moved?.(network);
    if (network === undefined) return;
    const { router, address } = network;
    for (const [key, state] of this.#ports) {
      const lease = state.held?.lease;
      if (lease === undefined) this.#set(key, lost(state, this.#options.now()));
      else if (lease.router !== router || lease.internalAddress !== address) {
        this.#lose(key, state, `this machine is at ${address} behind ${router} now`);
      }
    }
  }

  async #unmap({ spec }: PortState, lease: Lease, signal: AbortSignal): Promise<void> {
    const { record } = this.#options;
    try {
      const until = AbortSignal.any([signal, AbortSignal.timeout(RELEASE_MS)]);
      await this.#drivers.unmap(lease, until);
      record('mapping.removed', `${nameOf(spec)} was closed in the router ${lease.router}`, {
        port: portKey(spec),
      });
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted) throw error;
      const until =
        lease.lifetimeSeconds === 0 ? 'remove it there by hand' : 'it ends with its lease, within the hour';
      record(
        'mapping.left',
        `${nameOf(spec)} may still be open in the router ${lease.router}: ${error.message}; ${until}`,
        { port: portKey(spec) },
      );
    }
  }

  /** In the router's own pages; it names no service. */
  #description(): string {
    return `gateway ${this.#memory.mark}`;
  }

  async #save(): Promise<void> {
    this.#memory.ports = [...this.#ports.values()].map(storedOf);
    try {
      await this.#options.file.write(this.#memory);
    } catch (error) {
      // The leases are held all the same; the next daemon would ask anew.
      this.#options.log('warn', 'port mappings were not remembered', { error: messageOf(error) });
    }
  }
}
