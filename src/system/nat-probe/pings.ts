import { GatewayError } from '../../core/errors.ts';
import { parseEchoReply, parseExceeded, parseRecordedRoute } from '../../wire/ping.ts';
import { run } from '../run.ts';

export interface Pinged {
  /** Who answered. */
  readonly reply: string | undefined;
  /** The router at which the packet's time to live was over. */
  readonly exceeded: string | undefined;
  /** Addresses that were written into the packet on its way, ours first; empty unless that was asked for. */
  readonly route: readonly string[];
}

const NOTHING: Pinged = { reply: undefined, exceeded: undefined, route: [] };
const WAIT_S = '1';
/** A packet or its answer may be lost. */
const TRIES = 2;

/**
 * By the program ping, which may send what we may not. Where it is missing, or this user may not use it (containers,
 * `net.ipv4.ping_group_range`), nothing answers, and `why` says so.
 */
export class Pings {
  #why: string | undefined;
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Why no ping can be sent; `undefined`: one can. */
  get why(): string | undefined {
    return this.#why;
  }

  to(address: string, ttl?: number): Promise<Pinged> {
    return this.#try(ttl === undefined ? [address] : ['-t', String(ttl), address]);
  }

  /** With Record Route (RFC 791 3.1): only for routers of the home, since providers drop such packets (RFC 7126 4.5). */
  recording(address: string): Promise<Pinged> {
    return this.#try(['-R', address]);
  }

  async #try(more: readonly string[]): Promise<Pinged> {
    for (let tried = 0; tried < TRIES && this.#why === undefined && !this.#signal.aborted; tried += 1) {
      const found = await this.#once(more);
      if (found.reply !== undefined || found.exceeded !== undefined) return found;
    }
    return NOTHING;
  }

  async #once(more: readonly string[]): Promise<Pinged> {
    const env = { ...process.env, LC_ALL: 'C' };
    const options = { signal: this.#signal, env, accept: [0, 1, 2], timeoutMs: 4000 };
    try {
      const ran = await run(['ping', '-n', '-c', '1', '-W', WAIT_S, ...more], options);
      if (/not permitted|permission denied|lacking privilege/i.test(ran.stderr))
        this.#why = ran.stderr.trim();
      const { stdout } = ran;
      return {
        reply: parseEchoReply(stdout),
        exceeded: parseExceeded(stdout),
        route: parseRecordedRoute(stdout),
      };
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (error.code === 'CommandMissing') this.#why = error.message;
      return NOTHING;
    }
  }
}
