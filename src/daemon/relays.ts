import { createHash } from 'node:crypto';
import { addRelay, removeRelay } from '../core/config-edit.ts';
import type { Progress, RelayDraft, UpReport } from '../core/control.ts';
import { GatewayError } from '../core/errors.ts';
import { formatEndpoint, parseIpv4 } from '../core/inet.ts';
import type { Carrier } from '../core/carrier.ts';
import type { Crypto, Helper, Keys } from '../core/ports.ts';
import type { RelayWalked, WalkQuestion } from '../core/relay-walk.ts';
import { type Relay, RelayAbout, RelayJoined, relayKeyName, tunnelKeyName } from '../core/relay.ts';
import { Secret } from '../core/secret.ts';
import type { NatStatus, RelayStatus } from '../core/status.ts';
import type { SeenTunnel } from '../core/tunnel-operations.ts';
import type { Engine } from '../engine/engine.ts';
import { askRelay } from '../system/relay-client.ts';
import { natBehaviour } from '../system/stun.ts';
import { type Invite, parseInvite } from '../wire/invite.ts';
import { encodeKey } from '../wire/wireguard.ts';
import type { Changes } from './change.ts';
import type { Recorder } from './journal.ts';
import { rotateTunnelKey } from './relay-rotate.ts';
import type { RelayVantages } from './vantages.ts';

export interface RelaysOptions {
  readonly changes: Changes;
  readonly engine: Engine;
  readonly keys: Keys;
  readonly crypto: Crypto;
  readonly record: Recorder;
  readonly vantages: RelayVantages;
  readonly helper: Helper;
  readonly carrier: Carrier;
  readonly now: () => number;
}

/** Joins and leaves relays: the key first, then gateway.yaml. */
export class Relays {
  readonly #options: RelaysOptions;

  constructor(options: RelaysOptions) {
    this.#options = options;
  }

  list(signal: AbortSignal): Promise<readonly RelayStatus[]> {
    return Promise.all(this.#known().map((relay) => this.#look(relay, signal)));
  }

  /**
   * The secret is made here; the relay learns its hash. Stopped between, the relay knows a home that never comes, which
   * opens nothing.
   */
  async join(draft: RelayDraft, progress: Progress, signal: AbortSignal): Promise<RelayStatus> {
    const { changes, crypto, engine, keys, record, vantages } = this.#options;
    const invite = parseInvite(draft.invite);
    if (invite === undefined) throw notAnInvite();
    const name = this.#nameFor(draft.name);
    const secret = crypto.random(32);
    const credential = createHash('sha256').update(secret).digest('base64url');
    const { address, fingerprint } = invite;
    progress(`asking the relay at ${address}`);
    try {
      const { home, tunnel } = await this.#ask(invite, name, credential, signal);
      vantages.forget(name);
      await keys.put(relayKeyName(name), 'preshared', new Secret(secret));
      const settings = { address, fingerprint, home, ...(tunnel === undefined ? {} : { tunnel }) };
      await changes.edit((text) => addRelay(text, name, settings), progress, signal);
      record('relay.joined', `relay ${name} at ${address} was joined`, { relay: name });
      // What nobody could look at before is looked at now.
      for (const service of engine.desired?.services ?? []) engine.health.retry(service.name);
      return await this.#look({ name, ...settings }, signal);
    } catch (error) {
      if (!this.#known().some((relay) => relay.name === name)) await this.#forgetKeys(name);
      throw error;
    }
  }

  /** The tunnel's key is made here; one that only looks needs none. */
  async #ask(invite: Invite, name: string, credential: string, signal: AbortSignal): Promise<RelayJoined> {
    const { crypto, keys } = this.#options;
    const secret = await keys.ensure(tunnelKeyName(name), 'curve25519');
    const publicKey = encodeKey(crypto.curve25519Public(secret.reveal()));
    const request = { ask: 'join', invite: invite.secret, credential, tunnel: { publicKey } } as const;
    const joined = await askRelay(invite, request, RelayJoined, signal);
    if (joined.tunnel === undefined) await keys.remove(tunnelKeyName(name));
    return joined;
  }

  async #forgetKeys(name: string): Promise<void> {
    await this.#options.keys.remove(relayKeyName(name));
    await this.#options.keys.remove(tunnelKeyName(name));
  }

  async rotate(name: string, progress: Progress, signal: AbortSignal): Promise<RelayStatus> {
    const relay = this.#demand(name);
    return this.#look(await rotateTunnelKey(relay, this.#options, progress, signal), signal);
  }

  #demand(name: string): Relay {
    const relay = this.#known().find((one) => one.name === name);
    if (relay !== undefined) return relay;
    throw new GatewayError(`there is no relay ${name}`, {
      code: 'RelayUnknown',
      retry: 'never',
      hint: 'relays are: gateway relay list',
    });
  }

  walk(name: string, question: WalkQuestion, signal: AbortSignal): Promise<RelayWalked> {
    return this.#options.vantages.walk(this.#demand(name), question, signal);
  }

  /** As the first relay that answers STUN finds it; `null` when none does. */
  async nat(signal: AbortSignal): Promise<NatStatus | null> {
    for (const relay of this.#known()) {
      const found = await this.#natBy(relay, signal);
      if (found !== null) return found;
    }
    return null;
  }

  async #natBy(relay: Relay, signal: AbortSignal): Promise<NatStatus | null> {
    try {
      const { addresses, stunPort } = await this.#options.vantages.status(relay, signal);
      const host = addresses.find((address) => parseIpv4(address) !== undefined);
      if (host === undefined || stunPort === null) return null;
      const found = await natBehaviour({ host, port: stunPort }, signal);
      return found === undefined
        ? null
        : { ...found, relay: relay.name, mapped: formatEndpoint(found.mapped) };
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
      return null;
    }
  }

  /** A relay that cannot be told is left all the same. */
  async remove(name: string, progress: Progress, signal: AbortSignal): Promise<UpReport> {
    const { changes, record, vantages } = this.#options;
    const relay = this.#known().find((one) => one.name === name);
    const notices = relay === undefined ? [] : await this.#leave(relay, progress, signal);
    const report = await changes.edit((text) => removeRelay(text, name), progress, signal);
    await this.#forgetKeys(name);
    vantages.forget(name);
    record('relay.left', `relay ${name} was left`, { relay: name });
    return { ...report, notices: [...report.notices, ...notices] };
  }

  async #leave(relay: Relay, progress: Progress, signal: AbortSignal): Promise<string[]> {
    try {
      progress(`telling the relay at ${relay.address}`);
      await this.#options.vantages.ask(relay, { ask: 'leave' }, RelayAbout, signal);
      return [];
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
      return [`the relay was not told, and still knows this gateway as home ${relay.home}: ${error.message}`];
    }
  }

  async #look(relay: Relay, signal: AbortSignal): Promise<RelayStatus> {
    const { name, address, fingerprint } = relay;
    const tunnel = await this.#tunnelOf(relay, signal);
    const silent = { name, address, fingerprint, version: null, addresses: [], observed: null, tunnel };
    try {
      const { version, addresses, observed } = await this.#options.vantages.status(relay, signal);
      return { ...silent, version, addresses, observed, state: 'up', message: '' };
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
      const state = error.code === 'RelayUnreachable' ? 'unreachable' : 'refused';
      return { ...silent, state, message: error.message };
    }
  }

  /** As this machine sees it: the relay is not asked. */
  async #tunnelOf({ name, tunnel }: Relay, signal: AbortSignal): Promise<RelayStatus['tunnel']> {
    const { carrier, engine, helper, now } = this.#options;
    if (tunnel === undefined || engine.desired === undefined) return null;
    const { tunnels } = await helper.call('tunnel.observe', { network: engine.desired.network }, signal);
    const seen = tunnels.find(({ spec }) => spec.relay === name);
    const said = (await carrier.kept()).find(({ relay }) => relay === name)?.said;
    return {
      ...describeTunnel(seen, now()),
      names: said?.names.filter(({ granted }) => granted).length ?? 0,
      ports: said?.ports.filter(({ granted }) => granted).length ?? 0,
    };
  }

  #known(): readonly Relay[] {
    return this.#options.engine.desired?.relays ?? [];
  }

  #nameFor(wanted: string | undefined): string {
    const taken = new Set(this.#known().map(({ name }) => name));
    if (wanted === undefined) {
      let number = 1;
      while (taken.has(`relay-${number}`)) number += 1;
      return `relay-${number}`;
    }
    if (!taken.has(wanted)) return wanted;
    throw new GatewayError(`there is a relay ${wanted} already`, {
      code: 'AlreadyExists',
      retry: 'never',
      hint: `choose another name, or leave that one first: gateway relay remove ${wanted}`,
    });
  }
}

const UNUSED = {
  state: 'unused',
  endpoint: null,
  handshakeAgeSeconds: null,
  receivedBytes: 0,
  sentBytes: 0,
} as const;

function describeTunnel(
  seen: SeenTunnel | undefined,
  nowMs: number,
): Omit<NonNullable<RelayStatus['tunnel']>, 'names' | 'ports'> {
  if (seen === undefined) return UNUSED;
  const { endpoint = null, latestHandshake, received, sent } = seen;
  const isSilent = latestHandshake === 0;
  return {
    state: isSilent ? 'silent' : 'up',
    endpoint,
    handshakeAgeSeconds: isSilent ? null : Math.max(0, Math.round(nowMs / 1000 - latestHandshake)),
    receivedBytes: received,
    sentBytes: sent,
  };
}

function notAnInvite(): GatewayError {
  return new GatewayError('this is not an invite of a relay', {
    code: 'InvalidRequest',
    retry: 'never',
    hint: 'copy all of it, from gateway-relay:// to the end; the relay prints a new one with: gateway relay invite',
  });
}
