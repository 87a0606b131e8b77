import { parseIpv4 } from '../core/inet.ts';
import type { SiteBundle, SiteService, SiteWay } from '../core/site-bundle.ts';

/**
 * HAProxy on a laptop or a shop's server: one local port for each service, behind it every way in, in order. All but the
 * first are backup servers, of which HAProxy takes the first that is up.
 *
 * A way that needs more than a connection (TLS, Tor, another `Host`) has a hop of its own inside this HAProxy, with its own
 * health check and patience; the server in the order follows its state (`track`). Pure.
 */
export interface SitePlace {
  /** Absolute; short enough that a socket in it has a path of at most 107 bytes. */
  readonly sockets: string;
  /** Local TCP port of each service, by name. */
  readonly ports: Readonly<Record<string, number>>;
  /** Local TCP port at which our tor takes SOCKS. */
  readonly socksPort: number;
  /** `@system-ca`, or the path of a file with authorities that are trusted instead. */
  readonly authorities: string;
  /** /etc/resolv.conf names a server; without one HAProxy would not start with `parse-resolv-conf`. */
  readonly hasResolver: boolean;
}

/** An onion stands behind an address, because HAProxy speaks SOCKS4, which has no names. Nobody has these (RFC 2544). */
const ONION_BLOCK = '198.18.0.';

/**
 * `inter`: between checks while all is well, `fastinter` once one failed, `downinter` while it is down. By WireGuard a
 * check is some 400 bytes; with TLS 5 kB; by Tor it keeps the circuit warm.
 */
const CHECKS: Readonly<Record<SiteWay['kind'], string>> = {
  plain: 'check inter 2s fastinter 500ms downinter 2s fall 3 rise 3',
  tls: 'check inter 10s fastinter 1s downinter 5s fall 3 rise 3',
  onion: 'check check-via-socks4 inter 30s fastinter 2s downinter 5s fall 2 rise 1',
};

/**
 * Whoever is answered by a way that dies is let go after this time without an acknowledgement, to ask again. Not HAProxy's
 * `on-marked-down shutdown-sessions`: it ends those who still connect as well, who would have been brought to the next way.
 */
const UNANSWERED = 'tcp-ut 10s';

/** A circuit to an onion that was not visited lately takes ten seconds and more. */
const CONNECT_PATIENCE: Readonly<Record<SiteWay['kind'], string>> = { plain: '2s', tls: '5s', onion: '30s' };

export function statsSocket({ sockets }: SitePlace): string {
  return `${sockets}/stats`;
}

export function renderSiteHaproxy(bundle: SiteBundle, place: SitePlace): string {
  return [
    '# Written by gateway site join; changes are overwritten.',
    'global',
    `    stats socket unix@${statsSocket(place)} mode 600 level operator`,
    '    maxconn 2000',
    '    hard-stop-after 5s',
    'defaults',
    '    timeout client 1h',
    '    timeout server 1h',
    '    timeout tunnel 24h',
    '    timeout http-request 30s',
    '    timeout http-keep-alive 1h',
    '    option clitcpka',
    '    option srvtcpka',
    '    srvtcpka-idle 15s',
    '    srvtcpka-intvl 5s',
    '    srvtcpka-cnt 3',
    ...(place.hasResolver ? RESOLVERS : []),
    ...bundle.services.flatMap((service) => serviceLines(service, place)),
    ...bundle.services.flatMap((service) =>
      service.ways.flatMap((way, index) =>
        needsHop(way) ? hopLines(service, way, index, onionNumber(bundle, way), place) : [],
      ),
    ),
    '',
  ].join('\n');
}

/**
 * A home may move. But DNS that is down, or does not know what /etc/hosts says, must not take a way down that works:
 * HAProxy's own section does so after 30 s.
 */
const RESOLVERS: readonly string[] = [
  'resolvers names',
  '    parse-resolv-conf',
  ...['nx', 'other', 'refused', 'timeout', 'obsolete'].map((what) => `    hold ${what} 24h`),
];

/** What is no name is taken as it stands; a name that nobody knows yet is no reason not to start. */
function resolving(host: string, { hasResolver }: SitePlace): string {
  if (parseIpv4(host) !== undefined) return '';
  return ` init-addr last,libc,none${hasResolver ? ' resolvers names' : ''}`;
}

/** Nothing of the distribution's torrc; `more`: lines of the owner's, like bridges. */
export function renderSiteTorrc(
  bundle: SiteBundle,
  directory: string,
  socksPort: number,
  more: string,
): string {
  return [
    '# Written by gateway site join; changes are overwritten.',
    `DataDirectory "${directory}/data"`,
    `ClientOnionAuthDir "${directory}/keys"`,
    // Taken as it stands: in quotes it would be another file.
    `Log notice file ${directory}/tor.log`,
    `SocksPort 127.0.0.1:${socksPort} OnionTrafficOnly`,
    ...onionsOf(bundle).map((host, number) => `MapAddress ${ONION_BLOCK}${number + 1} ${host}`),
    more,
    '',
  ].join('\n');
}

/** Each once: two services never share one, but a service may be reached by one at two ways. */
function onionsOf({ services }: SiteBundle): string[] {
  const ways = services.flatMap((service) => service.ways);
  return [...new Set(ways.flatMap((way) => (way.kind === 'onion' ? [way.host] : [])))].slice(0, 254);
}

function onionNumber(bundle: SiteBundle, { host }: SiteWay): number {
  return onionsOf(bundle).indexOf(host) + 1;
}

function needsHop({ kind }: SiteWay): boolean {
  return kind !== 'plain';
}

function serviceLines({ name, ways }: SiteService, place: SitePlace): string[] {
  return [
    '',
    `listen ${name}`,
    '    mode tcp',
    `    bind 127.0.0.1:${place.ports[name]}`,
    // Who connects while a way dies is brought to the next one, rather than being told of it.
    '    retries 20',
    '    option redispatch 1',
    '    timeout queue 30s',
    `    timeout connect ${CONNECT_PATIENCE.plain}`,
    ...ways.map((way, index) => {
      const where = needsHop(way)
        ? `unix@${hopSocket(name, index, place)} track hop.${name}.${index}/${way.provider}`
        : `${way.host}:${way.port} ${UNANSWERED} ${CHECKS.plain}${resolving(way.host, place)}`;
      const backup = index === 0 ? '' : ' backup';
      return `    server ${serverName(way, index)} ${where}${backup}`;
    }),
  ];
}

function serverName({ provider }: SiteWay, index: number): string {
  return `${provider}.${index}`;
}

function hopSocket(name: string, index: number, { sockets }: SitePlace): string {
  return `${sockets}/${name}.${index}`;
}

function hopLines(
  { name, isPage }: SiteService,
  way: SiteWay,
  index: number,
  onion: number,
  place: SitePlace,
): string[] {
  const where =
    way.kind === 'onion'
      ? `${ONION_BLOCK}${onion}:${way.port} socks4 127.0.0.1:${place.socksPort}`
      : `${way.host}:${way.port} ssl verify required ca-file ${place.authorities} sni str(${way.host}) verifyhost ${way.host} ${UNANSWERED}${resolving(way.host, place)}`;
  return [
    '',
    `listen hop.${name}.${index}`,
    `    mode ${isPage ? 'http' : 'tcp'}`,
    `    bind unix@${hopSocket(name, index, place)} mode 600`,
    // tor says at once that it does not find an onion, and may find it a second later.
    '    retries 20',
    `    timeout connect ${CONNECT_PATIENCE[way.kind]}`,
    // The edge answers 421 to a name that is not the one of the way.
    ...(isPage ? [`    http-request set-header Host ${authorityOf(way)}`] : []),
    `    server ${way.provider} ${where} ${CHECKS[way.kind]}`,
  ];
}

function authorityOf({ kind, host, port }: SiteWay): string {
  return port === (kind === 'tls' ? 443 : 80) ? host : `${host}:${port}`;
}

/** Per service, which way takes its next visitor: the first that is up. Reads the answer to `show stat` (CSV); of an empty one nothing. */
export function waysInUse({ services }: SiteBundle, stat: string): ReadonlyMap<string, string | null> {
  if (!stat.startsWith('# ')) return new Map();
  const rows = stat.split('\n').map((line) => line.split(','));
  const status = (rows[0] ?? []).indexOf('status');
  const up = new Set(
    rows.flatMap((row) => (row[status]?.startsWith('UP') === true ? [`${row[0]}/${row[1]}`] : [])),
  );
  return new Map(
    services.map(({ name, ways }) => {
      const index = ways.findIndex((way, at) => up.has(`${name}/${serverName(way, at)}`));
      return [name, ways[index]?.provider ?? null];
    }),
  );
}
