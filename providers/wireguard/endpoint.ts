import { formatEndpoint, isPublicUnicast, parseEndpoint } from '../../src/core/inet.ts';
import { believedAddresses, type HomeAddress } from '../../src/core/home.ts';
import { portKey, type MappingReport } from '../../src/core/mapper.ts';
import type { WireguardInterface } from '../../src/core/operations.ts';
import type { Ports } from '../../src/core/ports.ts';

/** Stands beside the interface where the config names no endpoint: it is found out, and may change. */
export const LEARNED = 'auto';

/** What devices dial, or why that is not known and what to do. */
export type Dial =
  | {
      readonly endpoint: string;
      readonly problem?: undefined;
      /** What others tell instead of the address that was chosen: '11.3.0.9 (relay)'. */
      readonly differs?: string;
    }
  | { readonly endpoint?: undefined; readonly problem: string };

export interface DialInput {
  /** From the config, or `LEARNED`. */
  readonly configured: string;
  readonly listenPort: number;
  /** What the router says; `undefined` while nobody asks it. */
  readonly mapping: MappingReport | undefined;
  /** A public name that its host said yes to: it moves along when the address changes. */
  readonly name?: string | undefined;
  /** What is known of this home's addresses, and from whom. */
  readonly home: readonly HomeAddress[];
}

const BY_HAND =
  'or forward the port in the router and write into gateway.yaml: wireguard: { endpoint: "ADDRESS:PORT" }';

/**
 * Where devices find this gateway. The one place that decides it.
 *
 *   configured | the router mapped the port     | devices dial
 *   host:port  | whatever                       | what the config says
 *   nothing    | yes, its address is public     | the home's name where one was published, else that address; the port outside
 *   nothing    | the same, and relay and STUN   | what both tell: a NAT stands outside a router that thinks itself public;
 *              | tell another                   | where one of them alone does, that address all the same
 *   nothing    | yes, its address is private    | not known: another NAT stands in front
 *   nothing    | yes, it tells no address       | who sees us from outside, the port outside
 *   nothing    | no, this machine is public     | this machine's own address, the port that it listens on
 *   nothing    | no                             | not known, and the router's reason
 */
export function decideDial({ configured, listenPort, mapping, name, home }: DialInput): Dial {
  if (configured !== LEARNED) return { endpoint: configured };
  const own = home.find(({ family, source }) => family === 4 && source === 'interface');
  if (own !== undefined && mapping?.state !== 'held') {
    return { endpoint: formatEndpoint({ host: name ?? own.address, port: listenPort }) };
  }
  return mapped(mapping, name, home) ?? { problem: `${whyUnknown(mapping)}${BY_HAND}` };
}

function mapped(
  mapping: MappingReport | undefined,
  name: string | undefined,
  home: readonly HomeAddress[],
): Dial | undefined {
  const { externalAddress = null, externalPort = null } = mapping ?? {};
  const said = externalAddress ?? believedAddresses(home).ipv4 ?? '';
  if (externalPort === null || !isPublicUnicast(said)) return undefined;
  const host = seenByBoth(home) ?? said;
  const differs = othersThan(host, externalAddress, home);
  const endpoint = formatEndpoint({ host: name ?? host, port: externalPort });
  return { endpoint, ...(differs === '' ? {} : { differs }) };
}

/** What a relay and a STUN server tell alike: they see us from outside, and do not know each other. */
function seenByBoth(home: readonly HomeAddress[]): string | undefined {
  const by = (source: HomeAddress['source']): string[] =>
    home.filter((found) => found.family === 4 && found.source === source).map(({ address }) => address);
  const stun = by('stun');
  return by('relay').find((address) => stun.includes(address));
}

function othersThan(host: string, router: string | null, home: readonly HomeAddress[]): string {
  const told = [
    ...home.filter(({ family, source }) => family === 4 && source !== 'router' && source !== 'interface'),
    ...(router === null ? [] : [{ address: router, source: 'router' }]),
  ];
  const others = told.filter(({ address }) => address !== host);
  return others.map(({ address, source }) => `${address} (${source})`).join(', ');
}

function whyUnknown(mapping: MappingReport | undefined): string {
  if (mapping === undefined) return 'the router was not asked yet; wait a moment, ';
  const { state, router, problem, hint } = mapping;
  if (problem !== null) return `${problem}; ${hint ?? 'see gateway ports'}; `;
  return state === 'held'
    ? `the router ${router ?? ''} opened the port but does not tell its address; `
    : 'the router has not answered yet; see gateway ports, ';
}

export async function dialOf(
  { endpoint: configured, listenPort }: Pick<WireguardInterface, 'endpoint' | 'listenPort'>,
  { mapper, names, home }: Pick<Ports, 'mapper' | 'names' | 'home'>,
): Promise<Dial> {
  const key = portKey({ transport: 'udp', port: listenPort });
  const kept = (await mapper.kept()).find(({ spec }) => portKey(spec) === key);
  const published = (await names.kept()).filter(({ published: { ipv4 } }) => ipv4 !== undefined);
  const name = published.find((one) => one.name.isForPage === undefined)?.name.name;
  return decideDial({ configured, listenPort, mapping: kept?.report, name, home: home.addresses() });
}

/** The port that devices dial: what the router is asked for. */
export function portOutside(endpoint: string | undefined, listenPort: number): number {
  return parseEndpoint(endpoint ?? '')?.port ?? listenPort;
}
