import { isRouterAddress, type Lease, type MappingDriver, type MappingRequest } from '../../core/mapping.ts';
import { isPinholeClient } from '../../wire/igd-mapping.ts';

/** What a router answered to a request that it granted. */
export type Granted = Pick<Lease, 'externalPort' | 'lifetimeSeconds' | 'mark'> & {
  /** As it said; what no router can have outside is left out. */
  readonly externalAddress?: string | undefined;
};

export function leaseFrom(
  { protocol, router }: Pick<MappingDriver, 'protocol' | 'router'>,
  { transport, internalAddress, internalPort, nonce, description }: MappingRequest,
  { externalPort, externalAddress, lifetimeSeconds, mark }: Granted,
): Lease {
  return {
    protocol,
    router,
    transport,
    internalAddress,
    internalPort,
    externalPort,
    ...outsideOf(externalAddress),
    lifetimeSeconds,
    nonce,
    description,
    mark,
  };
}

/** Behind a pinhole the address outside is our own. */
export function outsideOf(address: string | undefined): { readonly externalAddress?: string } {
  const isOutside = address !== undefined && (isRouterAddress(address) || isPinholeClient(address));
  return isOutside ? { externalAddress: address } : {};
}
