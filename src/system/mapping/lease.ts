import {
  isRouterAddress,
  MappingError,
  PROTOCOL_NAMES,
  type Lease,
  type MappingDriver,
  type MappingRequest,
} from '../../core/mapping.ts';
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

/** The same of what PCP and NAT-PMP answer, which grant nothing by a zero (RFC 6887 11.1, RFC 6886 3.3). */
export function leaseOfAnswer(
  driver: Pick<MappingDriver, 'protocol' | 'router'>,
  request: MappingRequest,
  { epochSeconds, ...granted }: Omit<Granted, 'mark'> & { readonly epochSeconds: number },
): Lease {
  if (granted.externalPort > 0 && granted.lifetimeSeconds > 0) {
    return leaseFrom(driver, request, { ...granted, mark: { epochSeconds } });
  }
  const protocol = PROTOCOL_NAMES[driver.protocol];
  throw new MappingError(`${driver.router} answered ${protocol} with an empty mapping`, {
    refusal: 'failed',
  });
}

/** Behind a pinhole the address outside is our own. */
export function outsideOf(address: string | undefined): { readonly externalAddress?: string } {
  const isOutside = address !== undefined && (isRouterAddress(address) || isPinholeClient(address));
  return isOutside ? { externalAddress: address } : {};
}
