import { isIP } from 'node:net';
import type { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import { formatEndpoint, isPublicUnicast, parseEndpoint } from '../core/inet.ts';
import type { DialBack, DialledBack, Keys, Vantages } from '../core/ports.ts';
import type { RelayCarrying } from '../core/relay-carry.ts';
import {
  MAX_ANSWER_BYTES,
  type Relay,
  RelayAbout,
  RelayDialled,
  relayKeyName,
  type RelayRequest,
} from '../core/relay.ts';
import type { HomeWatch } from '../core/relay-watch.ts';
import { RelayWalked, type WalkQuestion } from '../core/relay-walk.ts';
import { askRelay, holdRelay, type RelayPlace } from '../system/relay-client.ts';
import { resolveHost } from '../system/resolve.ts';
import { askStun } from '../system/stun.ts';
import type { Recorder } from './journal.ts';

export interface RelayVantagesOptions {
  /** Those that are applied now. */
  readonly relays: () => readonly Relay[];
  readonly keys: Keys;
  readonly record: Recorder;
  /** A relay told, in passing, where it sees us. */
  readonly saw: (address: string) => void;
}

/** What a home asks, without what proves that it is this home. */
type Question<Request = RelayRequest> = Request extends { readonly home: string }
  ? Omit<Request, 'home' | 'secret'>
  : never;

/** The relays that were joined, as vantages. */
export class RelayVantages implements Vantages {
  readonly #options: RelayVantagesOptions;
  /** How each answered last, by name; absent before the first question. */
  readonly #isUp = new Map<string, boolean>();
  readonly #abouts = new Map<string, RelayAbout>();

  constructor(options: RelayVantagesOptions) {
    this.#options = options;
  }

  async dialBack(request: DialBack, signal: AbortSignal): Promise<DialledBack> {
    const relays = this.#options.relays();
    if (relays.length === 0) return { status: 'none' };
    const failures: string[] = [];
    for (const relay of relays) {
      try {
        const dialled = await this.#dialBackBy(relay, request, signal);
        if (typeof dialled !== 'string') return dialled;
        failures.push(dialled);
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
        failures.push(error.message);
      }
    }
    return { status: 'unreachable', detail: failures.join('; ') };
  }

  async #dialBackBy(relay: Relay, request: DialBack, signal: AbortSignal): Promise<DialledBack | string> {
    const { protocol, family, port, payload, enough = MAX_ANSWER_BYTES } = request;
    const place = await this.#placeOf(relay, family, signal);
    if (place === undefined) return `the relay ${relay.name} has no IPv${family} address`;
    const question = {
      ask: 'dialBack',
      protocol,
      port,
      payload: Buffer.from(payload).toString('base64'),
      enough,
    } as const;
    const dialled = await this.ask(relay, question, RelayDialled, signal, place);
    const { outcome, from, to, isOtherAddress } = dialled;
    if (outcome === 'failed') return `the relay ${relay.name} could not dial`;
    if (isIP(to) !== family) return `the relay ${relay.name} dialled another family than it was asked to`;
    this.#options.saw(to);
    if (protocol === 'udp' && outcome !== 'answered' && !(await this.#isHealthy(relay, from, signal))) {
      return `UDP between here and the relay ${relay.name} (${from}) does not get through`;
    }
    const answer = Uint8Array.from(Buffer.from(dialled.answer, 'base64'));
    return { status: 'dialled', relay: relay.name, from, to, isOtherAddress, outcome, answer };
  }

  /** Silence says something only when datagrams of the address that dialled do come here. */
  async #isHealthy(relay: Relay, from: string, signal: AbortSignal): Promise<boolean> {
    const { stunPort } = this.#abouts.get(relay.name) ?? (await this.status(relay, signal));
    if (stunPort === null) return true;
    return (await askStun({ host: from, port: stunPort }, signal)) !== undefined;
  }

  /** One question; whether the relay answers at all is remembered and told when it changes. */
  async ask<Shape extends z.ZodType>(
    relay: Relay,
    question: Question,
    shape: Shape,
    signal: AbortSignal,
    place: RelayPlace = relay,
  ): Promise<z.infer<Shape>> {
    const secret = await this.#secretOf(relay);
    try {
      const answer = await askRelay(place, { ...question, home: relay.home, secret }, shape, signal);
      this.#tell(relay.name, true, 'it answers again');
      return answer;
    } catch (error) {
      const isDown = error instanceof GatewayError && error.code === 'RelayUnreachable';
      if (isDown) this.#tell(relay.name, false, error.message);
      throw error;
    }
  }

  /** What it says of itself, and where it sees us. */
  async status(relay: Relay, signal: AbortSignal): Promise<RelayAbout> {
    const about = await this.ask(relay, { ask: 'status' }, RelayAbout, signal);
    this.#abouts.set(relay.name, about);
    this.#options.saw(about.observed);
    return about;
  }

  /** How its tunnel is, as it told last; `undefined`: it did not yet, or carries nothing. */
  carrying(relay: string): RelayCarrying | undefined {
    return this.#abouts.get(relay)?.carrying ?? undefined;
  }

  /** The mark of what it watches for us; `undefined`: it was not asked yet, or can watch no home. */
  watching(relay: string): string | undefined {
    return this.#abouts.get(relay)?.watching;
  }

  knowsAbout(relay: string): boolean {
    return this.#abouts.has(relay);
  }

  async watch(relay: Relay, watch: HomeWatch, signal: AbortSignal): Promise<void> {
    this.#abouts.set(relay.name, await this.ask(relay, { ask: 'watch', watch }, RelayAbout, signal));
  }

  /** Resolves when a connection that stood broke. */
  async hold(relay: Relay, signal: AbortSignal): Promise<void> {
    const question = { ask: 'hold', home: relay.home, secret: await this.#secretOf(relay) } as const;
    const held = (about: RelayAbout): void => {
      this.#abouts.set(relay.name, about);
      this.#options.saw(about.observed);
    };
    await holdRelay(relay, question, RelayAbout, held, signal);
  }

  /** Over IPv4: it counts routers, and speaks to the address that asks alone. */
  async walk(relay: Relay, walk: WalkQuestion, signal: AbortSignal): Promise<RelayWalked> {
    const place = await this.#placeOf(relay, 4, signal);
    const host = place === undefined ? undefined : await this.#ipv4Of(place, signal);
    if (place !== undefined && host !== undefined) {
      const walked = await this.ask(relay, { ask: 'walk', walk }, RelayWalked, signal, place);
      // Datagrams go where it was asked, whatever it says; a rented machine may know itself by a private address alone.
      const other = walked.other !== null && isPublicUnicast(walked.other) ? walked.other : null;
      return { ...walked, address: host, other };
    }
    throw new GatewayError(`the relay ${relay.name} has no IPv4 address`, {
      code: 'NotSupported',
      retry: 'never',
    });
  }

  async #ipv4Of({ address }: RelayPlace, signal: AbortSignal): Promise<string | undefined> {
    const host = parseEndpoint(address)?.host ?? '';
    return isIP(host) === 4 ? host : (await resolveHost(host, signal))?.find((one) => isIP(one) === 4);
  }

  /** Another relay may take this name. */
  forget(relay: string): void {
    this.#isUp.delete(relay);
    this.#abouts.delete(relay);
  }

  async #placeOf(relay: Relay, family: 4 | 6, signal: AbortSignal): Promise<RelayPlace | undefined> {
    const endpoint = parseEndpoint(relay.address);
    if (endpoint === undefined) return undefined;
    const { fingerprint } = relay;
    if (endpoint.type === 'name') return { address: relay.address, fingerprint, family };
    if (isIP(endpoint.host) === family) return relay;
    const { addresses } = this.#abouts.get(relay.name) ?? (await this.status(relay, signal));
    const host = addresses.find((address) => isIP(address) === family);
    if (host === undefined) return undefined;
    return { address: formatEndpoint({ host, port: endpoint.port }), fingerprint };
  }

  async #secretOf({ name }: Relay): Promise<string> {
    const secret = await this.#options.keys.read(relayKeyName(name), 'preshared');
    if (secret !== undefined) return Buffer.from(secret.reveal()).toString('base64url');
    throw new GatewayError(`the key for the relay ${name} is not on disk`, {
      code: 'KeyMissing',
      retry: 'when-changed',
      hint: `restore keys/ from a backup, or: gateway relay remove ${name}, then join it again`,
    });
  }

  /** Was it asked since our start? */
  knows(relay: string): boolean {
    return this.#isUp.has(relay);
  }

  /** Names of those that do not answer. */
  lost(): string[] {
    return [...this.#isUp].flatMap(([relay, isUp]) => (isUp ? [] : [relay]));
  }

  #tell(relay: string, isUp: boolean, why: string): void {
    const before = this.#isUp.get(relay);
    this.#isUp.set(relay, isUp);
    if (before === isUp || (before === undefined && isUp)) return;
    this.#options.record('relay.changed', `relay ${relay}: ${why}`, { relay, isUp });
  }
}
