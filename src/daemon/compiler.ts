import { networkFor } from '../core/allocate.ts';
import type { Config } from '../core/config.ts';
import type { Part, Provider } from '../core/contract.ts';
import { compileDesired, type Desired } from '../core/desired.ts';
import { GatewayError } from '../core/errors.ts';
import { choosePool } from '../core/pool.ts';
import type { Store } from '../engine/store.ts';

export interface CompilerOptions {
  readonly store: Store;
  readonly parts: readonly Part[];
  readonly providers: readonly Provider[];
  /** Destinations of the host's own routes, as CIDR. */
  readonly hostRoutes: (signal: AbortSignal) => Promise<readonly string[]>;
}

/** Config plus state → what should be. Stores nothing: the caller does, before anything is applied. */
export class Compiler {
  readonly #options: CompilerOptions;

  constructor(options: CompilerOptions) {
    this.#options = options;
  }

  async compile(config: Config, signal: AbortSignal): Promise<Desired> {
    const { store, parts, providers } = this.#options;
    const pool = config.pool ?? (await this.#pool(signal));
    return compileDesired({
      config,
      devices: store.devices(),
      ledger: { ...store.ledger(), network: { pool, prefix: config.prefix } },
      parts,
      providers,
      network: networkFor(config.prefix, pool),
    });
  }

  /** What `gateway down` leaves: nothing. Needs no config, which may be the very thing that is broken. */
  compileNothing(signal: AbortSignal): Promise<Desired> {
    const { pool, prefix } = this.#options.store.ledger()['network'] ?? {};
    const config: Config = {
      prefix: typeof prefix === 'string' ? prefix : 'gw',
      pool: typeof pool === 'string' ? pool : undefined,
      services: [],
      settings: {},
    };
    return this.compile(config, signal);
  }

  /** Chosen once: every address that was handed out lies in it. */
  async #pool(signal: AbortSignal): Promise<string> {
    const kept = this.#options.store.ledger()['network']?.['pool'];
    if (typeof kept === 'string') return kept;
    const chosen = choosePool(await this.#options.hostRoutes(signal));
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
