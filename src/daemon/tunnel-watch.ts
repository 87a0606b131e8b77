import { z } from 'zod';
import type { Desired } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import { formatEndpoint, parseEndpoint } from '../core/inet.ts';
import type { Helper, Log, Ports } from '../core/ports.ts';
import { TunnelSpec } from '../core/tunnel-operations.ts';
import type { Recorder } from './journal.ts';
import type { RelayVantages } from './vantages.ts';

export interface TunnelWatchOptions {
  readonly desired: () => Desired | undefined;
  readonly helper: Helper;
  readonly vantages: Pick<RelayVantages, 'status'>;
  readonly resolve: Ports['resolve'];
  readonly now: () => number;
  readonly log: Log;
  readonly record: Recorder;
}

const SpecOfTunnel = z.looseObject({ type: z.literal('tunnel'), tunnel: TunnelSpec });

const LOOK_MS = 3000;
/** A relay that started again knows home's key, and not where home is: it waits for a session, which home thinks it has. */
const ASK_MS = 20_000;
const ASK_SILENT_MS = 3000;
/** WireGuard tries for five seconds at a time. */
const TRY_MS = 11_000;
/** It makes a new session every two minutes while anything is sent, and home sends by itself. */
const ALIVE_MS = 180_000;

interface Life {
  /** Of its endpoints; counts on. */
  turn: number;
  dialledAtMs: number;
  /** Where it was dialled since it was silent: a relay that is away for a day makes no thousand events. */
  readonly tried: Set<string>;
}

/**
 * Has a tunnel that is silent dialled again, at each of the relay's endpoints in turn, whose names are looked up anew.
 *
 *   home's last handshake | the relay knows one | dialled just now | next
 *   ----------------------+---------------------+------------------+------------------------
 *   any                   | any                 | yes              | wait
 *   recent                | yes, or it is silent| no               | nothing
 *   recent                | no                  | no               | the same endpoint again
 *   old, or none          | any                 | no               | the next endpoint
 */
export class TunnelWatch {
  readonly #options: TunnelWatchOptions;
  /** By name of the relay. */
  readonly #lives = new Map<string, Life>();
  /** Relays that said, when they were asked last, that they have no session with us. */
  readonly #forgetful = new Set<string>();
  #lookAgainMs = 0;
  #askAgainMs = 0;

  constructor(options: TunnelWatchOptions) {
    this.#options = options;
  }

  /** A connection to a relay broke that stood: it may have started again. */
  hurry(): void {
    this.#askAgainMs = 0;
    this.#lookAgainMs = 0;
  }

  async settle(signal: AbortSignal): Promise<void> {
    const { now, desired: wanted } = this.#options;
    const desired = wanted();
    if (desired === undefined || now() < this.#lookAgainMs) return;
    this.#lookAgainMs = now() + LOOK_MS;
    const tunnels = tunnelsIn(desired);
    if (tunnels.length === 0) return;
    await this.#ask(desired, tunnels, signal);
    await this.#look(desired, tunnels, signal);
  }

  /** Whether a relay knows us is the one thing that only it can tell. */
  async #ask(desired: Desired, tunnels: readonly TunnelSpec[], signal: AbortSignal): Promise<void> {
    const { now, vantages } = this.#options;
    if (now() < this.#askAgainMs) return;
    this.#askAgainMs = now() + ASK_MS;
    const used = desired.relays.filter(({ name }) => tunnels.some(({ relay }) => relay === name));
    await Promise.all(
      used.map(async (relay) => {
        this.#forgetful.delete(relay.name);
        try {
          const { carrying } = await vantages.status(relay, signal);
          if (carrying?.handshakeAgeSeconds === null) this.#forgetful.add(relay.name);
        } catch (error) {
          // Its tunnel may be well; it may also be starting again.
          if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
          this.#askAgainMs = now() + ASK_SILENT_MS;
        }
      }),
    );
  }

  async #look(desired: Desired, tunnels: readonly TunnelSpec[], signal: AbortSignal): Promise<void> {
    const { helper, now } = this.#options;
    const { network } = desired;
    const seen = await helper.call('tunnel.handshakes', { network }, signal);
    for (const tunnel of tunnels) {
      const found = seen.tunnels.find(({ number }) => number === tunnel.number);
      if (found === undefined) continue;
      const life = this.#lifeOf(tunnel);
      if (now() - life.dialledAtMs < TRY_MS) continue;
      const isRecent = now() - found.latestHandshake * 1000 < ALIVE_MS;
      if (isRecent && !this.#forgetful.has(tunnel.relay)) {
        this.#tellHealed(tunnel, life);
        continue;
      }
      if (!isRecent) life.turn += 1;
      await this.#dial(tunnel, life, desired, signal);
    }
  }

  /** What was just made dials by itself. */
  #lifeOf({ relay }: TunnelSpec): Life {
    const life = this.#lives.get(relay) ?? {
      turn: 0,
      dialledAtMs: this.#options.now(),
      tried: new Set<string>(),
    };
    this.#lives.set(relay, life);
    return life;
  }

  async #dial(tunnel: TunnelSpec, life: Life, { network }: Desired, signal: AbortSignal): Promise<void> {
    const { helper, log, now } = this.#options;
    const { relay, number, endpoints } = tunnel;
    life.dialledAtMs = now();
    const endpoint = await this.#addressOf(endpoints[life.turn % endpoints.length] ?? '', signal);
    if (endpoint === undefined) return;
    log('warn', 'a tunnel is silent and is dialled again', { relay, endpoint });
    this.#tellDialled(tunnel, life, endpoint);
    await helper.call('tunnel.dial', { network, number, endpoint }, signal);
    // Asked at once, it might not have heard of the new session yet.
    this.#forgetful.delete(relay);
    this.#askAgainMs = now() + TRY_MS - LOOK_MS;
  }

  #tellDialled({ relay }: TunnelSpec, { tried }: Life, endpoint: string): void {
    if (tried.size === tried.add(endpoint).size) return;
    const why = this.#forgetful.has(relay) ? 'the relay has forgotten it' : 'it is silent';
    this.#options.record('tunnel.dialled', `the tunnel to ${relay} is dialled again at ${endpoint}: ${why}`, {
      relay,
      endpoint,
    });
  }

  #tellHealed({ relay }: TunnelSpec, { tried }: Life): void {
    if (tried.size === 0) return;
    tried.clear();
    this.#options.record('tunnel.healed', `the tunnel to ${relay} works again`, { relay });
  }

  async #addressOf(text: string, signal: AbortSignal): Promise<string | undefined> {
    const endpoint = parseEndpoint(text);
    if (endpoint === undefined) return undefined;
    const { host, port, type } = endpoint;
    const [found] = type === 'name' ? ((await this.#options.resolve(host, signal)) ?? []) : [host];
    return found === undefined ? undefined : formatEndpoint({ host: found, port });
  }
}

function tunnelsIn({ resources }: Desired): TunnelSpec[] {
  const specs = [...resources.values()].flat();
  return specs.flatMap(({ spec }) => SpecOfTunnel.safeParse(spec).data?.tunnel ?? []);
}
