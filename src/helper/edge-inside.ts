import { dirname } from 'node:path';
import type { EdgeOnion, EdgeSpec } from '../core/operations.ts';
import { TOR_INSTANCES, type TorInstance } from '../core/tor-instance.ts';
import { doorOf } from '../core/ula.ts';
import { ensureEdgeRun } from './edge-directory.ts';
import type { HelperEnvironment } from './environment.ts';
import { ensureOwned } from './owned-directory.ts';
import { page } from './edge-pages.ts';
import { pageLines } from './edge-backends.ts';
import { headerLines, HTTP_TIMES, REQUESTS_IN_TEN_SECONDS, SET_HOST } from './edge-web.ts';

/**
 * Pages that are asked for by other names than those of the web.
 *
 * Visitors of onion services come by a unix socket for each service, which tor alone can reach. So nobody else can say of
 * itself what tor says of a visitor: by which circuit it comes, in place of an address, which nobody knows
 * (`HiddenServiceExportCircuitID`, an address of fc00:dead:beef:4dad::/64).
 *
 *   run/onions/            root      0755
 *   run/onions/tor         edge:tor  0750
 *   run/onions/tor/shop    edge      0666   socket: who may pass the directory is HAProxy and that tor
 *
 * The socket is HAProxy's own, which cannot give it to tor's group, and a directory that would (setgid) is refused to the
 * helper by its unit (RestrictSUIDSGID).
 *
 * Each tor process has a frontend of its own: what one has to do does not take from the others. Devices come by the door in
 * the hub (door.ts), with the address that they have in the pool and that of the page.
 */
const CONNECTIONS_PER_ONION = 2000;

export interface InsideSockets {
  /** Path of an onion's, quoted. */
  readonly onionDoor: (instance: TorInstance, service: string) => string;
  /** Path of that to which devices are brought, quoted. */
  readonly door: string;
}

export function insideLines(spec: EdgeSpec, { onionDoor, door }: InsideSockets): string[] {
  const { onions = [], doors } = spec;
  const pages = new Map([...onions, ...(doors?.services ?? [])].map((page) => [page.service, page]));
  return [
    ...(onions.length === 0 ? [] : CIRCUITS),
    ...TOR_INSTANCES.flatMap((instance) => {
      const mine = onions.filter((onion) => onion.instance === instance);
      return mine.length === 0 ? [] : frontendLines(instance, mine, onionDoor);
    }),
    ...(doors === undefined ? [] : deviceLines(door)),
    ...[...pages.values()].flatMap((page) => pageLines(page, spec)),
  ];
}

const DOOR_MAP = 'doors.map';

/** Files that the configuration reads, by name: which page has which address. */
export function insideMaps({ doors }: EdgeSpec): ReadonlyMap<string, string> {
  if (doors === undefined) return new Map();
  const lines = doors.services.flatMap(({ service, address }) =>
    [address, doorOf(doors.network, address) ?? []].flat().map((each) => `${each} page.${service}\n`),
  );
  return new Map([[DOOR_MAP, lines.join('')]]);
}

function deviceLines(socket: string): string[] {
  return [
    '',
    'frontend gateway.door',
    '    mode http',
    '    maxconn 10000',
    `    bind unix@${socket} mode 600 accept-proxy`,
    ...HTTP_TIMES,
    SET_HOST,
    ...headerLines('http'),
    `    http-request set-var(txn.page) dst,map_str(${DOOR_MAP})`,
    '    use_backend %[var(txn.page)]',
  ];
}

/** A circuit is a whole address; web visitors are counted by networks, and would all be one here. */
const CIRCUITS: readonly string[] = [
  '',
  'backend gateway.circuits',
  '    stick-table type ipv6 size 100k expire 1m store http_req_rate(10s)',
];

function frontendLines(
  instance: TorInstance,
  onions: readonly EdgeOnion[],
  onionDoor: (instance: TorInstance, service: string) => string,
): string[] {
  return [
    '',
    `frontend gateway.onions.${instance}`,
    '    mode http',
    '    maxconn 10000',
    ...onions.map(
      ({ service }) =>
        `    bind unix@${onionDoor(instance, service)} mode 666 accept-proxy name ${service} maxconn ${CONNECTIONS_PER_ONION}`,
    ),
    ...HTTP_TIMES,
    '    http-request track-sc0 src table gateway.circuits',
    `    http-request return ${page('often')} if { sc0_http_req_rate gt ${REQUESTS_IN_TEN_SECONDS} }`,
    SET_HOST,
    ...ownNameLines(page('elsewhere')),
    ...headerLines('http'),
    '    use_backend page.%[so_name]',
  ];
}

/** Of onions, by service (edge-onion-names.ts). */
export const NAMES_MAP = 'onion-names.map';

/** `base`: the name without what stands before an onion's own, such as `www.`; one that is not known is not judged. */
function ownNameLines(refusal: string): string[] {
  return [
    `    http-request set-var(txn.own) so_name,map_str(${NAMES_MAP})`,
    '    http-request set-var(txn.base) var(txn.host),field(-1,.,2)',
    '    acl named var(txn.own) -m found',
    '    acl own_name var(txn.base),strcmp(txn.own) eq 0',
    `    http-request return ${refusal} if named !own_name`,
  ];
}

/** Before HAProxy is to listen there. */
export async function ensureOnionDoors(
  { onions = [] }: EdgeSpec,
  environment: HelperEnvironment,
): Promise<void> {
  if (onions.length === 0) return;
  const { paths, edge, tor } = environment;
  await ensureEdgeRun(environment);
  for (const instance of new Set(onions.map((onion) => onion.instance))) {
    const directory = dirname(paths.onionDoor(instance, 'any'));
    await ensureOwned(directory, { uid: edge.uid, gid: tor.gid }, 0o750);
  }
}
