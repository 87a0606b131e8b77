import { z } from 'zod';
import type { Carrier, KeptCarry, RelayVisit, RelayVisited } from '../core/carrier.ts';
import { GatewayError } from '../core/errors.ts';
import { formatEndpoint, parseEndpoint } from '../core/inet.ts';
import type { Log } from '../core/ports.ts';
import { RelayCarried, RelayCarry, USUAL_TUNNEL_MTU } from '../core/relay-carry.ts';
import type { Relay } from '../core/relay.ts';
import { dialTcp, dialUdp } from '../system/dial.ts';
import { readFileIfExists, writeFileAtomic } from '../system/files.ts';
import type { RelayVantages } from './vantages.ts';

export interface RelayCarrierOptions {
  /** `carried.json`: what relays said yes to, so that a restart asks for nothing that is so already. */
  readonly path: string;
  readonly relays: () => readonly Relay[];
  readonly vantages: RelayVantages;
  readonly log: Log;
}

const Kept = z.strictObject({
  relay: z.string(),
  /** What the relay calls us: another home of the same relay was never asked for anything. */
  home: z.string(),
  asked: RelayCarry,
  said: RelayCarried.exactOptional(),
});
type Kept = z.infer<typeof Kept>;
const File = z.strictObject({ relays: z.array(Kept) });

const NOTHING: RelayCarry = { names: [], ports: [], devices: false };

/** Tells relays what to carry, and remembers what they said. What it remembers may be lost: they are then told again. */
export class RelayCarrier implements Carrier {
  readonly #options: RelayCarrierOptions;
  #kept: Map<string, Kept> | undefined;

  constructor(options: RelayCarrierOptions) {
    this.#options = options;
  }

  async kept(): Promise<readonly KeptCarry[]> {
    const relays = new Map(this.#options.relays().map((relay) => [relay.name, relay]));
    return [...(await this.#load()).values()].map(({ relay, home, asked, said }) => {
      const joined = relays.get(relay);
      const isKnown = (joined?.home ?? home) === home;
      const carrying = this.#options.vantages.carrying(relay);
      const devices = isKnown ? devicesBy(joined, said) : undefined;
      return {
        relay,
        asked,
        ...(said === undefined || !isKnown ? {} : { said }),
        ...(carrying === undefined ? {} : { carrying }),
        ...(devices === undefined ? {} : { devices }),
      };
    });
  }

  async carry(relay: string, carry: RelayCarry, signal: AbortSignal): Promise<void> {
    const found = this.#options.relays().find(({ name }) => name === relay);
    if (found === undefined) {
      throw new GatewayError(`there is no relay ${relay}`, {
        code: 'RelayUnknown',
        retry: 'when-changed',
        hint: 'relays are: gateway relay list',
      });
    }
    const { home } = found;
    await this.#put({ relay, home, asked: carry });
    const said = await this.#options.vantages.ask(found, { ask: 'carry', carry }, RelayCarried, signal);
    await this.#put({ relay, home, asked: carry, said });
    // What it told before is of before.
    await this.#options.vantages.status(found, signal);
  }

  async release(relay: string, signal: AbortSignal): Promise<void> {
    const found = this.#options.relays().find(({ name }) => name === relay);
    try {
      if (found !== undefined) {
        const question = { ask: 'carry', carry: NOTHING } as const;
        await this.#options.vantages.ask(found, question, RelayCarried, signal);
      }
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
      this.#options.log('warn', 'a relay was not told that it carries nothing any more', {
        relay,
        why: error.message,
      });
    }
    (await this.#load()).delete(relay);
    await this.#save();
  }

  visit(visit: RelayVisit, signal: AbortSignal): Promise<RelayVisited> {
    const { transport, address, port, payload, enough } = visit;
    const dial = transport === 'udp' ? dialUdp : dialTcp;
    return dial({ to: address, port, payload, enough }, signal);
  }

  async #put(kept: Kept): Promise<void> {
    (await this.#load()).set(kept.relay, kept);
    await this.#save();
  }

  async #load(): Promise<Map<string, Kept>> {
    if (this.#kept !== undefined) return this.#kept;
    const text = (await readFileIfExists(this.#options.path))?.toString();
    const relays = text === undefined ? [] : this.#parse(text);
    this.#kept ??= new Map(relays.map((kept) => [kept.relay, kept]));
    return this.#kept;
  }

  #parse(text: string): readonly Kept[] {
    try {
      return File.parse(JSON.parse(text)).relays;
    } catch (error) {
      this.#options.log('warn', 'what relays were told is not known any more; they are told again', {
        error: String(error),
      });
      return [];
    }
  }

  async #save(): Promise<void> {
    const relays = [...(await this.#load()).values()];
    await writeFileAtomic(this.#options.path, JSON.stringify({ relays }), { mode: 0o600 });
  }
}

/** At the host at which it is dialled itself, and the port that it granted. */
function devicesBy(relay: Relay | undefined, said: RelayCarried | undefined): KeptCarry['devices'] {
  const port = said?.devicesPort ?? null;
  const [first] = relay?.tunnel?.endpoints ?? [];
  const host = parseEndpoint(first ?? '')?.host;
  if (port === null || host === undefined) return undefined;
  return {
    endpoint: formatEndpoint({ host, port }),
    tunnelMtu: relay?.tunnel?.mtu ?? USUAL_TUNNEL_MTU,
  };
}
