import { randomBytes, randomInt } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { portKey, type Mapper, type PortSpec, type RouterLook } from '../../core/mapper.ts';
import type { LeaseCheck } from '../../core/mapping.ts';
import { judgeVisit, type Visit } from '../../core/mapping-doubt.ts';
import {
  begin,
  given,
  looked,
  overheard,
  lost,
  nameOf,
  nextStep,
  refused,
  unseen,
  type PortState,
} from '../../core/mapping-lease.ts';
import { deadSentenceOf, remarkOf, reportOf, troubleOf } from '../../core/mapping-report.ts';
import { Turn } from '../../core/turn.ts';
import { askDrivers } from './ask-drivers.ts';
import { closePort } from './close-port.ts';
import type { HomeNetwork } from './home-network.ts';
import { KeptPorts } from './kept-ports.ts';
import type { PortMapperOptions } from './mapper-options.ts';
import { RouterDrivers } from './router-drivers.ts';
import { tellGiven, tellRefused } from './tell-lease.ts';

/** Whether router and address are still the same is looked at this often; it costs no packet. */
const NETWORK_MS = 5000;
/** `up` waits for the router's first answer so long at most. */
const FIRST_ANSWER_MS = 20_000;
/** What is announced in the router's name is heard this often at most. */
const ANNOUNCED_MS = 2000;

/** Drives the leases (core/mapping-lease.ts) with real time and a real router: one question at a time, one timer. */
export class PortMapper implements Omit<Mapper, 'through' | 'openThrough' | 'closeThrough'> {
  readonly #options: PortMapperOptions;
  readonly #turn = new Turn();
  readonly #drivers: RouterDrivers;
  readonly #ports: KeptPorts;
  readonly #abort = new AbortController();
  #loaded: Promise<void> | undefined;
  #network: HomeNetwork | undefined;
  #timer: NodeJS.Timeout | undefined;
  #announcedAt = 0;

  constructor(options: PortMapperOptions) {
    this.#options = options;
    this.#drivers = new RouterDrivers(options.drivers);
    this.#ports = new KeptPorts(options);
  }

  async kept() {
    await this.#load();
    return this.#ports.states().map((state) => ({ spec: state.spec, report: reportOf(state) }));
  }

  async keep(spec: PortSpec, signal: AbortSignal): Promise<void> {
    await this.#load();
    const before = await this.#closedWhenMoved(spec, signal);
    const fresh = begin(spec, before?.nonce ?? randomBytes(12).toString('hex'), this.#options.now());
    this.#ports.add({ ...fresh, held: before?.held, told: before?.told, doubt: before?.doubt });
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
    await this.#turn.take(() => this.#close(before, signal));
    return { ...before, held: undefined, told: undefined, doubt: undefined };
  }

  async release(spec: PortSpec, signal: AbortSignal): Promise<void> {
    await this.#load();
    await this.#turn.take(async () => {
      const state = this.#ports.get(portKey(spec));
      this.#ports.remove(spec);
      if (state !== undefined) await this.#close(state, signal);
      await this.#follow();
      await this.#ports.save();
      this.#schedule();
    });
  }

  async look(signal: AbortSignal): Promise<RouterLook> {
    await this.#load();
    const network = await this.#options.network();
    if (network === undefined) return { router: null, table: null };
    return {
      router: network.router,
      table: await this.#drivers.table(network, this.#ports.description, signal),
    };
  }

  /** Is there a router to ask? Known once something is kept. */
  get hasRouter(): boolean {
    return this.#network !== undefined;
  }

  /** The router said something by itself; `router` is where it came from. */
  announced(router: string, said: LeaseCheck): void {
    const { now } = this.#options;
    if (router !== this.#network?.router || now() - this.#announcedAt < ANNOUNCED_MS) return;
    this.#announcedAt = now();
    for (const state of this.#ports.states())
      this.#take(portKey(state.spec), state, overheard(state, said, now()));
    this.#schedule();
  }

  /** Somebody outside tried to come in through a port of ours. What follows is in core/mapping-doubt.ts. */
  async visited(visit: Visit, signal: AbortSignal): Promise<void> {
    await this.#load();
    await this.#turn.take(async () => {
      const { now, record } = this.#options;
      const key = portKey(visit.port);
      const before = this.#ports.get(key);
      if (before === undefined) return;
      const { state, remedy, isHealed = false } = judgeVisit(before, visit, now());
      this.#ports.change(key, state);
      if (isHealed)
        record('mapping.healed', `visitors come in through ${nameOf(before.spec)} again`, { port: key });
      if (remedy === undefined) return;
      record('mapping.dead', deadSentenceOf(state, remedy), { port: key, remedy });
      await this.#close(state, signal);
      const wish = {
        again: state.held?.lease.externalPort,
        elsewhere: randomInt(20_000, 60_000),
        back: state.doubt?.firstPort,
      };
      this.#ports.change(key, { ...lost(state, now()), wish: wish[remedy] });
      await this.#ports.save();
      this.#schedule();
    });
  }

  remarks(): readonly string[] {
    return this.#ports.states().flatMap(remarkOf);
  }

  async close(): Promise<void> {
    this.#abort.abort(new GatewayError('the gateway is stopping', { code: 'Aborted', retry: 'never' }));
    await this.#turn.take(() => Promise.resolve());
    clearTimeout(this.#timer);
    this.#options.moved?.(undefined);
  }

  #load(): Promise<void> {
    this.#loaded ??= this.#turn.take(async () => {
      await this.#ports.load();
      for (const state of this.#ports.states()) {
        if (state.closedAt !== undefined)
          this.#tellLost(state, 'its lease ended while the gateway did not run');
      }
      await this.#follow();
      this.#schedule();
    });
    return this.#loaded;
  }

  /** The one timer: for the next thing that is due, or to look where we are. */
  #schedule(atLeastMs = 0): void {
    clearTimeout(this.#timer);
    if (this.#ports.size === 0 || this.#abort.signal.aborted) return;
    const due = Math.min(...this.#ports.states().map((state) => nextStep(state).at));
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
      await this.#ports.save();
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
      const trouble = troubleOf(asked.refusals);
      this.#ports.change(key, refused(state, trouble, now()));
      if (this.#options.isExtra !== true) tellRefused(record, state, trouble);
      return;
    }
    const { protocol, router, lifetimeSeconds } = asked.lease;
    this.#ports.learn(router, { protocol, permanentOnly: lifetimeSeconds === 0 });
    const next = given(state, asked.lease, now(), random());
    this.#ports.change(key, next);
    tellGiven(record, state, next, now());
  }

  #askDrivers(state: PortState, network: HomeNetwork, signal: AbortSignal) {
    const known = this.#ports.routerAt(network.router);
    return askDrivers(
      {
        state,
        network,
        drivers: this.#drivers.in(network),
        known: known?.protocol,
        permanentOnly: known?.permanentOnly ?? false,
        description: this.#ports.description,
      },
      signal,
    );
  }

  async #check(key: string, state: PortState, signal: AbortSignal): Promise<void> {
    const lease = state.held?.lease;
    const said = lease === undefined ? undefined : await this.#drivers.check(lease, signal);
    if (said === undefined) this.#ports.change(key, unseen(state, this.#options.now()));
    else this.#take(key, state, looked(state, said, this.#options.now()));
    await this.#step(key, signal);
  }

  #take(key: string, before: PortState, { state, why }: ReturnType<typeof looked>): void {
    if (why !== undefined && state.held === undefined) this.#lose(key, before, why);
    else this.#ports.change(key, state);
  }

  #lose(key: string, state: PortState, why: string): void {
    this.#tellLost(state, why);
    this.#ports.change(key, lost(state, this.#options.now()));
  }

  #tellLost({ spec }: PortState, why: string): void {
    this.#options.record('mapping.lost', `${nameOf(spec)} is not mapped any more: ${why}`, {
      port: portKey(spec),
    });
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
    for (const state of this.#ports.states()) {
      const key = portKey(state.spec);
      const lease = state.held?.lease;
      if (lease === undefined) this.#ports.change(key, lost(state, this.#options.now()));
      else if (lease.router !== router || lease.internalAddress !== address) {
        // By PCP and NAT-PMP nobody can close what leads to another address: that ends with its lease.
        if (lease.router === router && lease.protocol === 'upnp')
          await this.#close(state, this.#abort.signal);
        this.#lose(key, state, `this machine is at ${address} behind ${router} now`);
      }
    }
  }

  async #close(state: PortState, signal: AbortSignal): Promise<void> {
    const lease = state.held?.lease;
    if (lease !== undefined) await closePort(this.#drivers, state, lease, this.#options.record, signal);
  }
}
