import { isIP } from 'node:net';
import type { Log } from '../core/ports.ts';
import {
  RelayRequest,
  type RELAY_FAILURES,
  type RelayAbout,
  type RelayDialled,
  type RelayJoined,
} from '../core/relay.ts';
import type { RelayCarried, RelayTunnel } from '../core/relay-carry.ts';
import { dialTcp, dialUdp } from '../system/dial.ts';
import { Allowance, sourceOf } from './allowance.ts';
import type { Carrier } from './carry/carrier.ts';
import type { HomeWatcher } from './home-watch.ts';
import type { Members } from './members.ts';
import type { Walks } from './walks.ts';

/** Where a question came from and on which of our addresses it arrived. */
export interface Asker {
  readonly source: string;
  readonly contacted: string;
}

export interface AnswerOptions {
  readonly members: Members;
  /** Addresses that we may speak from. */
  readonly addresses: readonly string[];
  /** `null` without STUN. */
  readonly stunPort: number | null;
  readonly version: string;
  /** Absent: this relay only looks. */
  readonly carrier?: Carrier | undefined;
  /** Absent: its UDP port is taken. */
  readonly walks?: Walks | undefined;
  readonly watcher: HomeWatcher;
  readonly now: () => number;
  /** Everything that was asked and refused, for whoever runs the relay. No secrets. */
  readonly log: Log;
}

export type Answered =
  | {
      readonly ok: true;
      readonly value: unknown;
      /** The home for which the connection stays open; not told. */
      readonly holds?: string;
    }
  | { readonly ok: false; readonly failure: (typeof RELAY_FAILURES)[number]; readonly message: string };

/** A home at rest asks once a minute; one that looks for a fault, a few times in a second. */
const DIALS = { burst: 30, refillMs: 2000 };
const QUESTIONS = { burst: 60, refillMs: 500 };
/** Each is work for the part that is root. */
const CHANGES = { burst: 30, refillMs: 2000 };
const WRONG_SECRETS = { burst: 10, refillMs: 30_000 };

/** What the relay does for a question; transport and framing are elsewhere. */
export class Answerer {
  readonly #options: AnswerOptions;
  readonly #wrong: Allowance;
  readonly #questions: Allowance;
  readonly #dials: Allowance;
  readonly #changes: Allowance;

  constructor(options: AnswerOptions) {
    this.#options = options;
    this.#wrong = new Allowance(WRONG_SECRETS, options.now);
    this.#questions = new Allowance(QUESTIONS, options.now);
    this.#dials = new Allowance(DIALS, options.now);
    this.#changes = new Allowance(CHANGES, options.now);
  }

  /** Is it worth the handshake? Whoever guessed too often is not even answered. */
  isWelcome(source: string): boolean {
    return this.#wrong.has(sourceOf(source));
  }

  async answer(text: string, asker: Asker, signal: AbortSignal): Promise<Answered> {
    const request = requestOf(text);
    if (request === undefined) return this.#refuse(asker, 'malformed', 'the request is not well formed');
    if (request.ask === 'join') return this.#join(request, asker);
    if (!(await this.#options.members.isHome(request.home, request.secret))) {
      return this.#refuse(asker, 'refused', 'this home is not known here');
    }
    if (!this.#questions.take(request.home)) return tooMany(this.#options.log, request.home);
    this.#options.watcher.heard(request.home);
    if (request.ask === 'dialBack') return this.#dialBack(request, asker, signal);
    if (request.ask === 'walk') return this.#walk(request, asker);
    if (request.ask === 'carry' || request.ask === 'rekey') return this.#carry(request, asker);
    if (request.ask === 'watch') return this.#watch(request, asker);
    if (request.ask === 'leave') {
      await this.#options.members.leave(request.home);
      await this.#options.carrier?.leave(request.home);
      await this.#options.watcher.leave(request.home);
      this.#options.log('info', 'a home left', { home: request.home, source: asker.source });
    }
    const holds = request.ask === 'hold' ? { holds: request.home } : {};
    return { ok: true, value: await this.#about(asker, request.home), ...holds };
  }

  async #join(request: Extract<RelayRequest, { ask: 'join' }>, asker: Asker): Promise<Answered> {
    const { carrier, members, now, log } = this.#options;
    const key = request.tunnel?.publicKey;
    const fault = key === undefined ? undefined : carrier?.keyFault(key);
    if (fault !== undefined) return this.#refuse(asker, 'unsupported', fault);
    const home = await members.join(request.invite, request.credential, now());
    if (home === undefined) {
      return this.#refuse(asker, 'refused', 'this invite was used, is too old, or is none of ours');
    }
    log('info', 'a home joined', { home, source: asker.source });
    const tunnel = key === undefined ? undefined : await this.#firstKey(home, key);
    if (typeof tunnel === 'string') return this.#refuse(asker, 'unsupported', tunnel);
    const joined = { ...(await this.#about(asker, home)), home };
    return {
      ok: true,
      value: { ...joined, ...(tunnel === undefined ? {} : { tunnel }) } satisfies RelayJoined,
    };
  }

  /** A home that was to have a tunnel and cannot has not joined. */
  async #firstKey(home: string, key: string): Promise<RelayTunnel | string | undefined> {
    const { carrier, members } = this.#options;
    let tunnel: RelayTunnel | string | undefined = 'it could not be done';
    try {
      tunnel = await carrier?.setKey(home, key);
    } finally {
      if (typeof tunnel === 'string') await members.leave(home);
    }
    return tunnel;
  }

  async #carry(request: Extract<RelayRequest, { ask: 'carry' | 'rekey' }>, asker: Asker): Promise<Answered> {
    const { carrier, log } = this.#options;
    const { home } = request;
    if (carrier === undefined) {
      return this.#refuse(asker, 'unsupported', 'this relay carries nothing, it only looks', false);
    }
    if (!this.#changes.take(home)) return tooMany(log, home);
    if (request.ask === 'rekey') {
      const tunnel = await carrier.setKey(home, request.tunnel.publicKey);
      if (typeof tunnel === 'string') return this.#refuse(asker, 'unsupported', tunnel, false);
      log('info', 'a home has another key', { home, source: asker.source });
      return { ok: true, value: tunnel };
    }
    const carried = await carrier.carry(home, request.carry);
    if (carried === undefined) {
      return this.#refuse(asker, 'unsupported', 'this home has no key of a tunnel here', false);
    }
    log('info', 'a home said what to carry', { home, ...countsOf(carried) });
    return { ok: true, value: carried };
  }

  async #watch({ home, watch }: Extract<RelayRequest, { ask: 'watch' }>, asker: Asker): Promise<Answered> {
    const { watcher, log } = this.#options;
    if (!this.#changes.take(home)) return tooMany(log, home);
    await watcher.watch(home, watch);
    log('info', 'a home said whom to tell of its silence', { home, receivers: watch.tell.length });
    return { ok: true, value: await this.#about(asker, home) };
  }

  #walk({ home, walk }: Extract<RelayRequest, { ask: 'walk' }>, asker: Asker): Answered {
    const { walks, log } = this.#options;
    if (walks === undefined)
      return this.#refuse(asker, 'unsupported', 'this relay sends no datagrams', false);
    const walked = walks.answer(home, walk, asker);
    if (walked === 'busy') return tooMany(log, home);
    if (walked !== undefined) return { ok: true, value: walked };
    return this.#refuse(asker, 'malformed', 'there is no such walk, or it was asked for over IPv6', false);
  }

  async #dialBack(
    request: Extract<RelayRequest, { ask: 'dialBack' }>,
    asker: Asker,
    signal: AbortSignal,
  ): Promise<Answered> {
    const { addresses, log } = this.#options;
    const { home, protocol, port } = request;
    const to = asker.source;
    if (!this.#dials.take(home)) return tooMany(log, home);
    if (isOwn(to, addresses)) {
      return this.#refuse(asker, 'malformed', 'the relay does not dial itself', false);
    }
    const from = otherAddress(asker, addresses);
    const payload = Uint8Array.from(Buffer.from(request.payload, 'base64'));
    const dial = { from, to, port, payload, enough: request.enough };
    const { outcome, answer } = await (protocol === 'udp' ? dialUdp : dialTcp)(dial, signal);
    log('info', 'dialled back', { home, protocol, to, port, from, outcome, bytes: answer.length });
    const value: RelayDialled = {
      from,
      to,
      isOtherAddress: from !== asker.contacted,
      outcome,
      answer: Buffer.from(answer).toString('base64'),
    };
    return { ok: true, value };
  }

  async #about({ source }: Asker, home: string): Promise<RelayAbout> {
    const { version, addresses, stunPort, carrier, watcher } = this.#options;
    const carrying = (await carrier?.carrying(home)) ?? null;
    return {
      version,
      addresses: [...addresses],
      stunPort,
      observed: source,
      carrying,
      watching: watcher.markOf(home),
    };
  }

  #refuse(
    { source }: Asker,
    failure: (typeof RELAY_FAILURES)[number],
    message: string,
    isGuess = true,
  ): Answered {
    if (isGuess) this.#wrong.take(sourceOf(source));
    this.#options.log('warn', 'a question was refused', { source, why: message });
    return { ok: false, failure, message };
  }
}

function requestOf(text: string): RelayRequest | undefined {
  try {
    return RelayRequest.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function countsOf({ names, ports }: RelayCarried): Record<string, number> {
  const refused = [...names, ...ports].filter(({ granted }) => !granted).length;
  return { names: names.length, ports: ports.length, refused };
}

function tooMany(log: Log, home: string): Answered {
  log('warn', 'a home asks too often', { home });
  return { ok: false, failure: 'busy', message: 'too many questions; ask again in a minute' };
}

/** A visitor comes from elsewhere: an address that home has not just spoken to, where there is one. */
function otherAddress({ contacted }: Asker, addresses: readonly string[]): string {
  const family = isIP(contacted);
  return addresses.find((address) => isIP(address) === family && address !== contacted) ?? contacted;
}

/** Our own machine is not outside, and what listens on it is nobody's to reach through us. */
function isOwn(address: string, addresses: readonly string[]): boolean {
  return addresses.includes(address) || address.startsWith('127.') || address === '::1';
}
