import type { Minting, MintedToken } from '../core/control.ts';
import { GatewayError } from '../core/errors.ts';
import { tokenKindOf, type TokenKind } from '../core/node-access.ts';
import type { Ports } from '../core/ports.ts';
import { retryAfterMs } from '../core/retry.ts';
import type { Service } from '../core/service.ts';
import { ended, ending, endingTokens, live, type LiveToken, type Token } from '../core/tokens.ts';
import type { Engine } from '../engine/engine.ts';
import type { Store } from '../engine/store.ts';
import { rootKeyIdFrom } from '../wire/lnd.ts';
import type { Changes } from './change.ts';
import type { Recorder } from './journal.ts';
import { NodeApi } from './node-api.ts';

export interface NodeTokensOptions {
  readonly changes: Changes;
  readonly engine: Engine;
  readonly store: Store;
  readonly ports: Ports;
  readonly record: Recorder;
}

interface Trouble {
  readonly attempts: number;
  readonly nextAt: number;
  readonly why: string;
}

/** What devices hold of Lightning nodes: one macaroon or rune of their own for each, which ends with the device. */
export class NodeTokens {
  readonly #options: NodeTokensOptions;
  /** By id: being made now, so not to be taken back yet. */
  readonly #making = new Set<string>();
  readonly #trouble = new Map<string, Trouble>();
  readonly #asking = new Map<string, Promise<void>>();

  constructor(options: NodeTokensOptions) {
    this.#options = options;
  }

  /** Made for this device; the one that it had before works no more. What is returned is kept nowhere. */
  async mint(device: string, { service: name, rights }: Minting, signal: AbortSignal): Promise<MintedToken> {
    const { ports, record } = this.#options;
    const { service, kind, api } = this.#demandNode(device, name);
    const rootKeyId = rootKeyIdFrom(ports.crypto.random(6));
    const planned: LiveToken = { service: name, device, kind, id: rootKeyId, rights };
    this.#making.add(rootKeyId);
    try {
      // A rune has its id from the node; of one that was never handed out nobody can make use.
      if (kind === 'macaroon') await this.#commit((ledgers) => ending(ledgers, planned));
      const { id, secret } = await api.mint(kind, rootKeyId, rights, signal);
      const token = { ...planned, id };
      await this.#commit((ledgers) => {
        const isStill = this.#options.store.device(device)?.services.includes(name) === true;
        return isStill ? live(ledgers, token) : ending(ledgers, token);
      });
      this.#demandGrant(device, name);
      record('token.minted', `device ${device} has a ${kind} of its own for ${name}, to ${rights}`, {
        device,
        service: name,
        rights,
      });
      return { device, service: service.name, kind, rights, secret: secret.reveal() };
    } finally {
      this.#making.delete(rootKeyId);
    }
  }

  /** What must be taken back is, as far as nodes answer; the others are tried again later. Never throws for a node. */
  async settle(signal: AbortSignal): Promise<void> {
    const { ports, store } = this.#options;
    for (const token of endingTokens(store.ledger())) {
      const { nextAt = 0 } = this.#trouble.get(keyOf(token)) ?? {};
      if (!this.#making.has(token.id) && ports.now() >= nextAt) await this.#end(token, signal);
    }
  }

  /** Like `settle`, for those of one device, whatever was tried before. */
  async settleFor(device: string, signal: AbortSignal): Promise<void> {
    for (const token of endingTokens(this.#options.store.ledger())) {
      if (token.device === device && !this.#making.has(token.id)) await this.#end(token, signal);
    }
  }

  /** Sentences for the owner: what still works although it was taken away, of all devices or of one. */
  remarks(device?: string): string[] {
    return endingTokens(this.#options.store.ledger())
      .filter((token) => !this.#making.has(token.id) && (device ?? token.device) === token.device)
      .map((token) => {
        const why = this.#trouble.get(keyOf(token))?.why ?? 'it was not asked yet';
        const by =
          token.kind === 'macaroon'
            ? `lncli deletemacaroonid ${token.id}`
            : `lightning-cli blacklistrune ${token.id}`;
        return `the ${token.kind} of ${token.device} for ${token.service} still works: ${why}; it is tried again, or by hand: ${by}`;
      });
  }

  #end(token: Token, signal: AbortSignal): Promise<void> {
    const key = keyOf(token);
    const asking = this.#asking.get(key) ?? this.#ask(token, signal).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #ask(token: Token, signal: AbortSignal): Promise<void> {
    const { ports, record } = this.#options;
    const { device, service, kind, id } = token;
    try {
      await this.#apiFor(token).revoke(kind, id, signal);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const attempts = (this.#trouble.get(keyOf(token))?.attempts ?? 0) + 1;
      const nextAt = ports.now() + retryAfterMs(attempts);
      this.#trouble.set(keyOf(token), { attempts, nextAt, why: error.message });
      return;
    }
    await this.#commit((ledgers) => ended(ledgers, token));
    this.#trouble.delete(keyOf(token));
    record('token.revoked', `the ${kind} of device ${device} for ${service} works no more`, {
      device,
      service,
    });
  }

  #apiFor({ service: name, kind }: Token): NodeApi {
    const { desired } = this.#options.engine;
    const service = desired?.services.find((each) => each.name === name);
    if (desired !== undefined && service?.node !== undefined && tokenKindOf(service.kind) === kind) {
      return new NodeApi(service, desired.network);
    }
    const why = this.#options.store.isDown()
      ? 'the gateway is down'
      : `gateway.yaml has no service ${name} with a node: that takes a ${kind}`;
    throw new GatewayError(why, { code: 'NotSupported' });
  }

  #demandNode(device: string, name: string): { service: Service; kind: TokenKind; api: NodeApi } {
    const { changes, engine } = this.#options;
    changes.demandUp();
    const { desired } = engine;
    this.#demandGrant(device, name);
    const service = desired?.services.find((each) => each.name === name);
    const kind = service === undefined ? undefined : tokenKindOf(service.kind);
    if (desired !== undefined && service?.node !== undefined && kind !== undefined) {
      return { service, kind, api: new NodeApi(service, desired.network) };
    }
    if (kind === undefined) {
      throw new GatewayError(`${name} is no Lightning node, so a device needs nothing of it to use it`, {
        code: 'NotSupported',
        retry: 'never',
        hint: `say what it is, if it is one: gateway service set ${name} --kind lnd`,
      });
    }
    throw new GatewayError(
      `the gateway has no way into the node ${name}, so it can make nothing for ${device}`,
      {
        code: 'NotSupported',
        retry: 'when-changed',
        hint: `write into gateway.yaml, at ${name}: node: { ${kind}: /etc/gateway/${name}.${kind}, certificate: /path/of/its/certificate }`,
      },
    );
  }

  #demandGrant(device: string, name: string): void {
    const found = this.#options.store.device(device);
    if (found === undefined) {
      throw new GatewayError(`there is no device ${device}`, {
        code: 'DeviceUnknown',
        hint: `add it: gateway device add ${device} --service ${name}`,
      });
    }
    if (found.services.includes(name)) return;
    throw new GatewayError(`${device} was not given ${name}`, {
      code: 'InvalidRequest',
      retry: 'never',
      hint: `give it first: gateway device grant ${device} --service ${name}`,
    });
  }

  /** One at a time with everything else that writes the ledger. */
  async #commit(
    change: (ledgers: ReturnType<Store['ledger']>) => ReturnType<Store['ledger']>,
  ): Promise<void> {
    const { changes, store } = this.#options;
    await changes.inTurn(() => store.commit({ ledger: change(store.ledger()) }));
  }
}

function keyOf({ service, kind, id }: Token): string {
  return `${service}/${kind}/${id}`;
}
