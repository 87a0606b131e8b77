import type { RouterLine } from '../../core/mapper.ts';
import { MappingError, type Lease, type LeaseCheck, type MappingDriver } from '../../core/mapping.ts';
import type { HomeNetwork } from './home-network.ts';

/** The drivers of the router that we are behind; made again when that is another one. */
export class RouterDrivers {
  readonly #make: (network: HomeNetwork) => readonly MappingDriver[];
  #made: { readonly of: string; readonly list: readonly MappingDriver[] } | undefined;

  constructor(make: (network: HomeNetwork) => readonly MappingDriver[]) {
    this.#make = make;
  }

  in(network: HomeNetwork): readonly MappingDriver[] {
    const of = `${network.router} ${network.address}`;
    if (this.#made?.of !== of) this.#made = { of, list: this.#make(network) };
    return this.#made.list;
  }

  /** `undefined` when the router did not say: it is silent, or answers something else. */
  async check(lease: Lease, signal: AbortSignal): Promise<LeaseCheck | undefined> {
    try {
      return await this.#for(lease)?.check(lease, signal);
    } catch (error) {
      if (error instanceof MappingError) return undefined;
      throw error;
    }
  }

  async unmap(lease: Lease, signal: AbortSignal): Promise<void> {
    await this.#for(lease)?.unmap(lease, signal);
  }

  /** What the first protocol that can tell says; `null` when none can. */
  async table(
    network: HomeNetwork,
    ourDescription: string,
    signal: AbortSignal,
  ): Promise<RouterLine[] | null> {
    for (const driver of this.in(network)) {
      try {
        const entries = await driver.list(signal);
        if (entries === undefined) continue;
        return entries.map((entry) => ({ ...entry, isOurs: entry.description === ourDescription }));
      } catch (error) {
        if (!(error instanceof MappingError)) throw error;
      }
    }
    return null;
  }

  #for({ router, internalAddress: address, protocol }: Lease): MappingDriver | undefined {
    return this.in({ router, address }).find((driver) => driver.protocol === protocol);
  }
}
