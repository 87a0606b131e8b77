import { networkInterfaces } from 'node:os';
import type { HomeAddress } from '../core/home.ts';
import { isPublicUnicast } from '../core/inet.ts';

/** Public addresses on this machine's own interfaces: a rented server has them, a home behind a router has none. */
export function interfaceAddresses(): HomeAddress[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).flatMap(({ address, family, internal }): HomeAddress[] =>
      !internal && family === 'IPv4' && isPublicUnicast(address)
        ? [{ family: 4, address, source: 'interface' }]
        : [],
    ),
  );
}
