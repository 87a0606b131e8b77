import type { AddressSource, HomeAddress } from '../../src/core/home.ts';

/** An address of the home, as somebody tells it. */
export const at = (source: AddressSource, address: string): HomeAddress => ({
  family: address.includes(':') ? 6 : 4,
  address,
  source,
});
