import type { Network } from '../core/service.ts';
import { twinOf } from '../core/ula.ts';

/** Lines of `ip -batch` for the links between the hub and services: what has an address of the pool has its twin too. */

/** Hardware addresses of every link between the hub and a service. */
export const LINK_MAC = { hub: '02:67:77:00:00:03', service: '02:67:77:00:00:04' };

/** Nobody else can have them, so nobody is asked (`nodad`). */
export function ownAddresses(network: Network, address: string, link: string): string[] {
  const twin = twinOf(network, address);
  const six = twin === undefined ? [] : [`addr replace ${twin}/128 dev ${link} nodad`];
  return [`addr replace ${address}/32 dev ${link}`, ...six];
}

/** Told, not asked for: a service cannot fill the machine's tables with neighbours that it makes up. */
export function neighbours(network: Network, address: string, link: string, mac: string): string[] {
  return [address, twinOf(network, address) ?? []]
    .flat()
    .map((each) => `neigh replace ${each} lladdr ${mac} dev ${link} nud permanent`);
}

export function viaHub6(network: Network, address: string, link: string): string[] {
  const [hub, source] = [twinOf(network, network.hub), twinOf(network, address)];
  if (network.ula === undefined || hub === undefined || source === undefined) return [];
  return [`route replace ${network.ula} via ${hub} dev ${link} onlink src ${source}`];
}

/** What was made before the gateway had IPv6 has no route either. */
export function missingRoute(
  routes: ReadonlySet<string>,
  network: Network,
  address: string,
  link: string,
): string | undefined {
  if (!routes.has(`${address} ${link}`)) return 'the hub lost the route to it';
  const twin = twinOf(network, address);
  return twin === undefined || routes.has(`${twin} ${link}`) ? undefined : 'the hub has no IPv6 route to it';
}
