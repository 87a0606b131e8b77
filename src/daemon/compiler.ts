import { networkFor } from '../core/allocate.ts';
import type { Config } from '../core/config.ts';
import type { Part, Provider } from '../core/contract.ts';
import { compileDesired, type Desired } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import { choosePool } from '../core/pool.ts';
import { tieWarnings } from '../core/privacy.ts';
import { chooseUla, routeIn } from '../core/ula.ts';
import type { Store } from '../engine/store.ts';

export interface CompilerOptions {
  readonly store: Pick<Store, 'devices' | 'ledger'>;
  readonly parts: readonly Part[];
  readonly providers: readonly Provider[];
  /** Destinations of the host's own routes, as CIDR. */
  readonly hostRoutes: (signal: AbortSignal, family: '-4' | '-6') => Promise<readonly string[]>;
  /** Does this kernel speak IPv6? */
  readonly hasIpv6: () => Promise<boolean>;
  readonly random: (bytes: number) => Uint8Array;
}

export const NO_IPV6 =
  "this machine's kernel speaks no IPv6, so services and devices have IPv4 alone; everything works over that";

/** Config plus state → what should be. Stores nothing: the caller does, before anything is applied. */
export class Compiler {
  readonly #options: CompilerOptions;

  constructor(options: CompilerOptions) {
    this.#options = options;
  }

  async compile(config: Config, signal: AbortSignal): Promise<Desired> {
    return this.#compile(config, await this.#ula(config.ula, signal), signal);
  }

  /** What was applied before, with nothing new: the helper was told of no more. */
  adopt(config: Config, signal: AbortSignal): Promise<Desired> {
    return this.#compile(config, this.#keptUla(), signal);
  }

  /** For people: what is left out because of this machine. */
  async remarks(): Promise<string[]> {
    return (await this.#options.hasIpv6()) ? [] : [NO_IPV6];
  }

  /** For people: what may be, and shows more than they may think. */
  warnings({ exposures }: Desired): string[] {
    const accepted = exposures.filter(({ problem }) => problem === undefined);
    return tieWarnings(accepted, this.#options.providers);
  }

  async #compile(config: Config, ula: string | undefined, signal: AbortSignal): Promise<Desired> {
    const { store, parts, providers, hasIpv6 } = this.#options;
    const pool = config.pool ?? (await this.#pool(signal));
    const kept = ula === undefined ? {} : { ula };
    return compileDesired({
      config,
      devices: store.devices(),
      ledger: { ...store.ledger(), network: { pool, prefix: config.prefix, ...kept } },
      parts,
      providers,
      network: networkFor(config.prefix, pool, (await hasIpv6()) ? ula : undefined),
    });
  }

  #keptUla(): string | undefined {
    const kept = this.#options.store.ledger()['network']?.['ula'];
    return typeof kept === 'string' ? kept : undefined;
  }

  /** Chosen once, as the pool: codes of devices name it. What the owner chooses must be nobody else's here. */
  async #ula(chosen: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    const { hostRoutes, random } = this.#options;
    const kept = this.#keptUla();
    if (chosen === undefined) return kept ?? chooseUla(await hostRoutes(signal, '-6'), random);
    const route = chosen === kept ? undefined : routeIn(chosen, await hostRoutes(signal, '-6'));
    if (route === undefined) return chosen;
    throw new GatewayError(`ula ${chosen} is in use on this machine already: it has a route to ${route}`, {
      code: 'ConfigInvalid',
      retry: 'when-changed',
      hint: 'choose another block in gateway.yaml, or leave ula out: one is chosen at random',
    });
  }

  /** What `gateway down` leaves: nothing. Needs no config, which may be the very thing that is broken. */
  compileNothing(signal: AbortSignal): Promise<Desired> {
    const { pool, prefix } = this.#options.store.ledger()['network'] ?? {};
    const config: Config = {
      prefix: typeof prefix === 'string' ? prefix : 'gw',
      pool: typeof pool === 'string' ? pool : undefined,
      services: [],
      stun: [],
      relays: [],
      settings: {},
    };
    return this.adopt(config, signal);
  }

  /** Chosen once: every address that was handed out lies in it. */
  async #pool(signal: AbortSignal): Promise<string> {
    const kept = this.#options.store.ledger()['network']?.['pool'];
    if (typeof kept === 'string') return kept;
    const chosen = choosePool(await this.#options.hostRoutes(signal, '-4'));
    if (chosen !== undefined) return chosen;
    throw new GatewayError(
      'every block from 10.64.0.0/20 to 10.127.0.0/20 is routed by this machine already',
      {
        code: 'AddressPoolExhausted',
        retry: 'when-changed',
        hint: 'set `pool:` in gateway.yaml to a private block, /16 to /24, that nothing here uses',
      },
    );
  }
}
