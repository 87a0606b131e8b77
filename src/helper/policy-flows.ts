import type { Applied, AppliedService } from '../core/applied.ts';
import { textOf } from '../core/flows.ts';
import type { Flow, Upstream } from '../core/operations.ts';
import { isWireguardName } from './names.ts';

/** Judges each of many flows in constant time: what may pass through the hub. */
export function flowJudge({ network, services, devices }: Applied): (flow: Flow) => boolean {
  const all = Object.values(services);
  const destinations = new Set(all.map(textOfAddress));
  const behindHub = new Set(all.filter(({ place }) => place.type !== 'target').map(textOfAddress));
  const granted = grantsOf(devices, services);
  const pairs = pairsOf(services);
  return (flow) => {
    const { via, source, address, protocol, port } = flow;
    if (via.startsWith('service/')) return pairs.has(textOf(flow));
    const destination = textOfAddress({ address, port });
    if (protocol !== 'tcp' || !destinations.has(destination)) return false;
    if (via === 'host') {
      return behindHub.has(destination) && (source === network.edge || source === network.tor);
    }
    return isWireguardName(via, network) && granted.has(`${source} > ${destination}`);
  };
}

/** `device > service:port` of every service that a device was given. */
function grantsOf(devices: Applied['devices'], services: Applied['services']): ReadonlySet<string> {
  return new Set(
    devices.flatMap(({ address, services: names }) =>
      names.flatMap((name) => {
        const service = Object.hasOwn(services, name) ? services[name] : undefined;
        return service === undefined ? [] : [`${address} > ${textOfAddress(service)}`];
      }),
    ),
  );
}

/** `via source > address:port` of every connection that one service may make to another. */
function pairsOf(services: Readonly<Record<string, AppliedService>>): ReadonlySet<string> {
  const pairs = Object.entries(services).flatMap(
    ([name, { address: source, upstreams = [], sites = [] }]) => {
      const others = upstreams.flatMap((upstream) => services[upstream] ?? []);
      const reached = [...others.filter(({ place }) => place.type !== 'target'), ...sites];
      return reached.map(({ address, port }) =>
        textOf({ via: `service/${name}`, source, address, port, protocol: 'tcp' }),
      );
    },
  );
  return new Set(pairs);
}

function textOfAddress({ address, port }: Pick<AppliedService, 'address' | 'port'>): string {
  return `${address}:${port}`;
}

/** Whether the config lets a service connect there: to another one, or to a device. */
export function isUpstream(
  name: string,
  { service, address, port }: Upstream,
  services: Readonly<Record<string, AppliedService>>,
): boolean {
  const isSite = (site: Upstream): boolean =>
    site.service === service && site.address === address && site.port === port;
  if (services[name]?.sites?.some(isSite) === true) return true;
  const isDeclared = services[name]?.upstreams?.includes(service) === true;
  return isDeclared && services[service]?.address === address && services[service].port === port;
}
