import { networkInterfaces } from 'node:os';
import type { HomeAddress } from '../core/home.ts';
import { isPublicUnicast } from '../core/inet.ts';
import { isPublicIpv6 } from '../core/inet6.ts';

/** Public addresses on this machine's own interfaces: a rented server has them, a home behind a router has none of IPv4. */
export function interfaceAddresses(): HomeAddress[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).flatMap(({ address, internal }): HomeAddress[] => {
      if (internal) return [];
      if (isPublicUnicast(address)) return [{ family: 4, address, source: 'interface' }];
      return isPublicIpv6(address) ? [{ family: 6, address, source: 'interface' }] : [];
    }),
  );
}
