import type { Applied } from '../core/applied.ts';
import { isInCidr } from '../core/inet.ts';
import { canonical } from '../core/plan.ts';
import type { TunnelSpec } from '../core/tunnel-operations.ts';

/** A tunnel of the config, which leads to services at their own ports and takes no address of the pool. */
export function tunnelRule(
  tunnel: TunnelSpec,
  { network, services, ports, tunnels = [] }: Applied,
): string | undefined {
  const what = `a tunnel to the relay ${tunnel.relay}`;
  const stray = [tunnel.address, tunnel.relayAddress].find((each) => isInCidr(each, network.pool));
  if (stray !== undefined) return `${what} with the address ${stray}, which is in the pool`;
  const open = tunnel.ports.find(({ service: name, to }) => {
    const service = Object.hasOwn(services, name) ? services[name] : undefined;
    return service?.address !== to.address || service.port !== to.port;
  });
  if (open !== undefined) return `${what} that leads to ${open.to.address}:${open.to.port}`;
  if (tunnel.devices !== undefined && !ports.includes(tunnel.devices))
    return `${what} that leads to UDP port ${tunnel.devices}`;
  return tunnels.some((each) => canonical(each) === canonical(tunnel))
    ? undefined
    : `${what} as it is asked for`;
}
