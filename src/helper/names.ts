import { createHash } from 'node:crypto';
import { GatewayError } from '../core/errors.ts';
import type { Network } from '../core/service.ts';
import type { HelperEnvironment } from './environment.ts';

/** Name of our nftables table, in the hub and in each service's namespace. */
export const TABLE = 'gateway';
/** The hub's end of the link to the host; also what flows call `via: 'host'`. */
export const HUB_END_OF_HOST = 'host';
/** The hub's end of the link over which services leave directly. */
export const HUB_END_OF_EGRESS = 'out';
/** A service's end of its link. */
export const SERVICE_END = 'eth0';

/** Our one interface in a namespace that somebody else made. */
export function enteredEnd(network: Pick<Network, 'prefix'>): string {
  return `${network.prefix}0`;
}

export function hubNetns(network: Pick<Network, 'prefix'>): string {
  return `${network.prefix}-hub`;
}

export function serviceNetns(network: Pick<Network, 'prefix'>, namespace: string): string {
  if (namespace === 'hub') {
    throw new GatewayError('the namespace name hub is taken by the gateway itself', {
      code: 'NamespaceTaken',
      retry: 'when-changed',
      hint: 'choose another name in gateway.yaml',
    });
  }
  return `${network.prefix}-${namespace}`;
}

/** The host's end of the link to the hub. */
export function hostLink(network: Pick<Network, 'prefix'>): string {
  return `${network.prefix}host`;
}

/** The host's end of the link over which services leave directly; there is none while none does. */
export function egressLink(network: Pick<Network, 'prefix'>): string {
  return `${network.prefix}out`;
}

/** Our table in the host's namespace, which may hold others'. */
export function hostTable(network: Pick<Network, 'prefix'>): string {
  return `${TABLE}-${network.prefix}`;
}

/** The hub's end of a service's link: a hash, because an interface name ends at 15 characters and a service's at 32. */
export function serviceLink(service: string): string {
  return `s-${createHash('sha256').update(service).digest('hex').slice(0, 12)}`;
}

/** Tells gateways with the same prefix but other directories apart, in at most 8 characters. */
export function ownerOf(environment: Pick<HelperEnvironment, 'directories'>): string {
  return createHash('sha256').update(environment.directories.state).digest('hex').slice(0, 8);
}

/** One of this gateway's WireGuard interfaces: `gwwg0`. */
export function isWireguardName(name: string, { prefix }: Network): boolean {
  return name.startsWith(`${prefix}wg`) && /^[0-9]{1,4}$/.test(name.slice(prefix.length + 2));
}
