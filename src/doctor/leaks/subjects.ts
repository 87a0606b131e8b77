import { isPublicUnicast } from '../../core/inet.ts';
import type { ServiceStatus } from '../../core/status.ts';
import type { Door, Place, Subject } from './seen.ts';

/** Ports that people forward to pages. Always the same: which are asked says nothing of what runs here. */
const PAGE_PORTS = [80, 443, 8080, 8443] as const;

/**
 *   privacy | ways in                | looked at
 *   --------+------------------------+----------
 *   open    | an onion, and another  | yes
 *   open    | others                 | no: nothing is hidden
 *   others  | any                    | yes
 */
export function subjectsIn(services: readonly ServiceStatus[]): Subject[] {
  return services.flatMap((service) => {
    const { name, privacy, address, port, ways } = service;
    const onion = urlOf(service, 'onion');
    if (privacy === 'open' && (onion === undefined || ways.length < 2)) return [];
    const front = onion ?? (privacy === 'tor-only' ? undefined : urlOf(service, 'internet'));
    return [
      { name, privacy, target: { address, port }, front: front === undefined ? undefined : doorOf(front) },
    ];
  });
}

function urlOf({ ways }: ServiceStatus, network: string): string | undefined {
  return ways.flatMap(({ addresses }) => addresses).find((each) => each.network === network)?.url;
}

/** `https://shop.example`, `tcp://….onion:10009`: what is no page may be TLS all the same. */
function doorOf(url: string): Door | undefined {
  const [, scheme = '', host = '', port] = /^(\w+):\/\/([^/:]+)(?::(\d+))?/.exec(url) ?? [];
  if (host === '') return undefined;
  return { host, port: Number(port ?? (scheme === 'http' ? 80 : 443)), isTls: scheme !== 'http' };
}

/** Where strangers find pages of this home. What is `tor-only` is asked about nowhere. */
export function placesOf(services: readonly ServiceStatus[], addresses: readonly string[]): Place[] {
  const bare = addresses.filter(isPublicUnicast).flatMap((host) =>
    PAGE_PORTS.map((port): Place => {
      const isTls = port % 1000 === 443;
      const url = `${isTls ? 'https' : 'http'}://${host}:${port}`;
      return { url, door: { host, port, isTls }, tells: 'home' };
    }),
  );
  const named = services.flatMap(({ privacy, ways }) =>
    privacy === 'tor-only'
      ? []
      : ways.flatMap((way) => way.addresses.flatMap((one) => placeOf(one, way.provider))),
  );
  return [...new Map([...bare, ...named].map((place) => [place.url, place])).values()];
}

function placeOf({ url, network }: { url: string; network: string }, provider: string): Place[] {
  const door = network === 'internet' && /^https?:/.test(url) ? doorOf(url) : undefined;
  return door === undefined ? [] : [{ url, door, tells: provider === 'clearnet' ? 'home' : 'name' }];
}
