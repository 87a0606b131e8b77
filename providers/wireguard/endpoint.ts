import { formatEndpoint, isPublicUnicast, parseEndpoint } from '../../src/core/inet.ts';
import { portKey, type MappingReport } from '../../src/core/mapper.ts';
import type { WireguardInterface } from '../../src/core/operations.ts';
import type { Ports } from '../../src/core/ports.ts';

/** Stands beside the interface where the config names no endpoint: it is found out, and may change. */
export const LEARNED = 'auto';

/** What devices dial, or why that is not known and what to do. */
export type Dial =
  | { readonly endpoint: string; readonly problem?: undefined }
  | { readonly endpoint?: undefined; readonly problem: string };

export interface DialInput {
  /** From the config, or `LEARNED`. */
  readonly configured: string;
  /** What the router says; `undefined` while nobody asks it. */
  readonly mapping: MappingReport | undefined;
  /** A public name that its host said yes to: it moves along when the address changes. */
  readonly name?: string | undefined;
}

const BY_HAND =
  'or forward the port in the router and write into gateway.yaml: wireguard: { endpoint: "ADDRESS:PORT" }';

/**
 * Where devices find this gateway. The one place that decides it.
 *
 *   configured | the router mapped the port     | devices dial
 *   host:port  | whatever                       | what the config says
 *   nothing    | yes, its address is public     | the home's name where one was published, else that address; the port outside
 *   nothing    | yes, its address is private    | not known: another NAT stands in front
 *   nothing    | yes, it tells no address       | not known
 *   nothing    | no                             | not known, and the router's reason
 */
export function decideDial({ configured, mapping, name }: DialInput): Dial {
  if (configured !== LEARNED) return { endpoint: configured };
  if (mapping === undefined) return { problem: `the router was not asked yet; wait a moment, ${BY_HAND}` };
  const { externalAddress: host, externalPort: port, router, problem, hint } = mapping;
  if (host !== null && port !== null && isPublicUnicast(host)) {
    return { endpoint: formatEndpoint({ host: name ?? host, port }) };
  }
  if (problem !== null) return { problem: `${problem}; ${hint ?? 'see gateway ports'}; ${BY_HAND}` };
  return mapping.state === 'held'
    ? { problem: `the router ${router ?? ''} opened the port but does not tell its address; ${BY_HAND}` }
    : { problem: `the router has not answered yet; see gateway ports, ${BY_HAND}` };
}

export async function dialOf(
  { endpoint: configured, listenPort }: Pick<WireguardInterface, 'endpoint' | 'listenPort'>,
  { mapper, names }: Pick<Ports, 'mapper' | 'names'>,
): Promise<Dial> {
  if (configured !== LEARNED) return decideDial({ configured, mapping: undefined });
  const key = portKey({ transport: 'udp', port: listenPort });
  const kept = (await mapper.kept()).find(({ spec }) => portKey(spec) === key);
  const published = (await names.kept()).find(({ published: { ipv4 } }) => ipv4 !== undefined);
  return decideDial({ configured, mapping: kept?.report, name: published?.name.name });
}

/** The port that devices dial: what the router is asked for. */
export function portOutside(endpoint: string | undefined, listenPort: number): number {
  return parseEndpoint(endpoint ?? '')?.port ?? listenPort;
}
