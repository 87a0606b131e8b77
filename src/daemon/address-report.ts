import { believedAddresses, type HomeAddress } from '../core/home.ts';
import type { AddressStatus, NatStatus } from '../core/status.ts';

export function reportAddress(addresses: readonly HomeAddress[], nat: NatStatus | null): AddressStatus {
  const ipv4 = new Set(addresses.filter(({ family }) => family === 4).map(({ address }) => address));
  return {
    addresses: addresses.map(({ family, address, source }) => ({ family, address, source })),
    ipv4: believedAddresses(addresses).ipv4 ?? null,
    differ: ipv4.size > 1,
    nat,
  };
}
