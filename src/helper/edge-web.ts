import { isIP } from 'node:net';
import type { EdgeListen, EdgeSite, EdgeSpec } from '../core/operations.ts';
import type { EdgeHere } from './edge-config.ts';
import {
  ASKS_FOR_CERTIFICATE,
  deviceBackends,
  DEVICES_MAP,
  DEVICES_ONLY,
  neverByHttp,
  TO_HANDOUTS,
  toDevices,
  WITH_NAME,
} from './edge-devices.ts';
import { page } from './edge-pages.ts';
import { type Door, relayDoors, RELAYED_MAP, relayMaps, SOURCE } from './edge-relay.ts';
import { IS_FOUND, LEAD_ON, lookUp, serviceLines, targetOf } from './edge-services.ts';
import { bindInner, type EdgeSockets, type InnerSocket, stepTo } from './edge-steps.ts';
import { strictLines } from './edge-strict-lines.ts';

/**
 * The half of HAProxy's configuration that answers visitors of web names:
 *
 *   https ─ pages for anyone alone: TLS ends, requests are seen ─ a server of `pages` or `wallets`
 *   https ─ otherwise: TCP, looks at the ClientHello ─┬─ acme-tls/1 ─ TLS, over with the handshake (RFC 8737)
 *                                          ├─ a name in mode tcp ─ TLS ends ─ a server of `streams`
 *                                          ├─ a name for devices ─ TLS ends, asks for a certificate ─ one of `pages`, `wallets`
 *                                          └─ all others ─ TLS ends ─ requests are seen ─ one of `pages`, `wallets`
 *   http ─ answers challenges (RFC 8555 8.3), sends everything else on to https
 *
 * Servers: edge-services.ts. The steps in between are unix sockets in a directory of HAProxy's own: on abstract ones any local user could claim to
 * be any visitor. No name of a service has a dot in it, so none can take the place of these.
 */
export const CERTIFICATE_LIST = 'certificates.list';
export const CHALLENGE_LIST = 'challenges.list';
export const CHALLENGE_MAP = 'challenges.map';
/** For visitors who say no name. */
export const ADDRESS_LIST = 'addresses.list';
const ADDRESS_MAP = 'addresses.map';
const SITE_MAP = 'sites.map';
const STREAM_MAP = 'streams.map';
const ONION_MAP = 'onions.map';
/** Maps in which an entry lets fewer visitors in: there before the name is, and gone after it. */
export const RESTRICTIONS: ReadonlySet<string> = new Set([DEVICES_MAP, RELAYED_MAP]);

/** As a `Host` header says it. */
export function hostOf(domain: string): string {
  return domain.includes(':') ? `[${domain}]` : domain;
}

/** Files that the configuration reads, by name: which backend belongs to which name. */
export function edgeMaps(spec: EdgeSpec, { onions }: EdgeHere): ReadonlyMap<string, string> {
  const { sites } = spec;
  const linesOf = (mode: EdgeSite['mode'], isMine: (domain: string) => boolean = () => true): string =>
    sites
      .filter((site) => site.mode === mode && isMine(site.domain))
      .map((site) => `${hostOf(site.domain)} ${targetOf(site, spec)}\n`)
      .join('');
  const devices = sites.filter(({ access }) => access === 'devices');
  const onionLines = sites.flatMap(({ service, domain, onionLocation }) => {
    const onion = onionLocation === true ? onions[service] : undefined;
    return onion === undefined ? [] : [`${hostOf(domain)} ${onion}\n`];
  });
  return new Map([
    [ONION_MAP, onionLines.join('')],
    [SITE_MAP, linesOf('http')],
    [ADDRESS_MAP, linesOf('http', (domain) => isIP(domain) !== 0)],
    [STREAM_MAP, linesOf('tcp')],
    [DEVICES_MAP, devices.map(({ domain, service }) => `${hostOf(domain)} ${service}\n`).join('')],
    ...relayMaps(spec),
  ]);
}

export function webLines(spec: EdgeSpec, here: EdgeHere, sockets: EdgeSockets): string[] {
  if (spec.sites.length === 0) return [];
  return [
    ...SOURCES,
    ...(here.listen === undefined ? [] : publicLines(here.listen, spec, here)),
    ...relayDoors(spec, here).flatMap((door) => [...lookLines(door, here, spec), ...plainLines(door)]),
    ...innerLines(here, sockets.inner),
    ...(spec.authority === undefined ? [] : deviceLines(sockets)),
    ...serviceLines(spec),
  ];
}

/** Lower case, without port and without the dot that ends an absolute name. */
export const SET_HOST = "    http-request set-var(txn.host) 'req.hdr(host),host_only,lower,regsub([.]$,)'";

const SET_SNI = '    http-request set-var(txn.sni) ssl_fc_sni,lower';

/** A request must come within 15 s; a long poll may be silent for an hour, a WebSocket for a day. */
export const HTTP_TIMES: readonly string[] = [
  '    timeout http-request 15s',
  '    timeout http-keep-alive 1m',
  '    timeout client 5m',
  // A connection that is idle during a reload is not cut under the visitor's next request.
  '    option idle-close-on-response',
];

/** By family: a socket of both would call a visitor of IPv4 `::ffff:11.0.0.2`. */
function bindLines(port: number, hasIpv6: boolean): string[] {
  return [`    bind 0.0.0.0:${port}`, ...(hasIpv6 ? [`    bind :::${port} v6only`] : [])];
}

/**
 * So many at once: more than a page needs, less than takes from the others. Not by `conn_rate`: HAProxy 2.6.12 reads it in
 * the thousands now and then, and one in a hundred connections of a source with seven a second was refused (tried).
 */
const SOURCE_LIMITS: readonly string[] = [
  `    tcp-request connection track-sc0 ${SOURCE}`,
  '    tcp-request connection reject if { sc0_conn_cur gt 500 }',
];
export const REQUESTS_IN_TEN_SECONDS = 5000;

const SOURCES: readonly string[] = [
  '',
  'backend gateway.sources',
  '    stick-table type ipv6 size 100k expire 1m store conn_cur,http_req_rate(10s)',
];

function publicDoor({ https, http }: EdgeListen, spec: EdgeSpec, { hasIpv6 }: EdgeHere): Door {
  const hidden = spec.sites.some(({ only }) => only === 'relay');
  return {
    name: 'gateway',
    https: [...bindLines(https, hasIpv6), ...SOURCE_LIMITS],
    http: [...bindLines(http, hasIpv6), ...SOURCE_LIMITS],
    unless: (name) => (hidden ? `if { ${name},map(${RELAYED_MAP}) -m found }` : undefined),
  };
}

function publicLines(listen: EdgeListen, spec: EdgeSpec, here: EdgeHere): string[] {
  const door = publicDoor(listen, spec, here);
  const https = here.looks ? lookLines(door, here, spec) : directLines(door);
  return [...https, ...plainLines(door)];
}

/** TLS ends where visitors come in (edge-direct.ts). */
function directLines({ name, https }: Door): string[] {
  const tls = ` ssl crt-list ${CERTIFICATE_LIST} ssl-min-ver TLSv1.2 strict-sni alpn h2,http/1.1`;
  return [
    '',
    `frontend ${name}.https`,
    '    mode http',
    '    maxconn 10000',
    ...https.map((line) => (line.startsWith('    bind ') ? `${line}${tls}` : line)),
    ...HTTP_TIMES,
    SET_SNI,
    ...requestLines(SITE_MAP),
  ];
}

function lookLines(door: Door, { hasAddress }: EdgeHere, spec: EdgeSpec): string[] {
  const tlsElsewhere = door.unless('req.ssl_sni,lower');
  return [
    '',
    `frontend ${door.name}.https`,
    '    maxconn 10000',
    ...door.https,
    '    tcp-request inspect-delay 10s',
    '    tcp-request content reject unless { req.ssl_hello_type 1 }',
    ...(tlsElsewhere === undefined ? [] : [`    tcp-request content reject ${tlsElsewhere}`]),
    '    use_backend gateway.challenges if { req.ssl_alpn acme-tls/1 }',
    `    use_backend gateway.streams if { req.ssl_sni,lower,map(${STREAM_MAP}) -m found }`,
    ...toDevices(spec),
    // Who visits an address says no name (RFC 6066 3).
    ...(hasAddress ? ['    use_backend gateway.address unless { req.ssl_sni -m found }'] : []),
    '    default_backend gateway.tls',
  ];
}

function plainLines(door: Door): string[] {
  const httpElsewhere = door.unless('var(txn.host)');
  return [
    '',
    `frontend ${door.name}.http`,
    '    mode http',
    '    maxconn 2000',
    ...door.http,
    ...HTTP_TIMES,
    SET_HOST,
    ...(httpElsewhere === undefined ? [] : [`    http-request return status 404 ${httpElsewhere}`]),
    '    acl challenge path_beg /.well-known/acme-challenge/',
    "    http-request set-var(txn.token) 'path,regsub(^/.well-known/acme-challenge,)' if challenge",
    `    http-request set-var(txn.answer) "var(txn.host),concat(,txn.token),map_str(${CHALLENGE_MAP})" if challenge`,
    '    http-request return status 200 content-type application/octet-stream lf-string %[var(txn.answer)] if challenge { var(txn.answer) -m found }',
    '    http-request return status 404 if challenge',
    `    http-request return status 404 unless { var(txn.host),map(${SITE_MAP}) -m found }`,
    ...neverByHttp(),
    '    http-request redirect code 308 location "https://%[var(txn.host)]%[capture.req.uri]"',
  ];
}

const PROXY_HEADERS =
  '^(x[-_]forwarded([-_].*)?|forwarded|x[-_]real[-_]ip|x[-_]client[-_]ip|true[-_]client[-_]ip|x[-_]original[-_].*|x[-_]rewrite[-_].*|proxy)$';

function innerLines({ hasAddress }: EdgeHere, innerSocket: InnerSocket): string[] {
  const bind = (name: string, list: string, rest: string): string => bindInner(innerSocket, name, list, rest);
  const step = (name: string): string[] => stepTo(innerSocket, name);
  return [
    '',
    ...['tls', 'streams', 'challenges', ...(hasAddress ? ['address'] : [])].flatMap(step),
    '',
    'frontend gateway.tls',
    '    mode http',
    bind('tls', CERTIFICATE_LIST, ' strict-sni alpn h2,http/1.1'),
    ...HTTP_TIMES,
    SET_SNI,
    ...requestLines(SITE_MAP),
    '',
    'frontend gateway.streams',
    bind('streams', CERTIFICATE_LIST, ' strict-sni'),
    `    tcp-request content reject if { ssl_fc_sni,lower,map(${DEVICES_MAP}) -m found }`,
    `    tcp-request content ${lookUp('ssl_fc_sni,lower', STREAM_MAP)}`,
    LEAD_ON,
    '',
    'frontend gateway.challenges',
    bind('challenges', CHALLENGE_LIST, ' strict-sni alpn acme-tls/1'),
    '    tcp-request content reject',
    ...(hasAddress
      ? [
          '',
          'frontend gateway.address',
          '    mode http',
          bind('address', ADDRESS_LIST, ' alpn h2,http/1.1'),
          ...HTTP_TIMES,
          "    http-request set-var(txn.sni) 'req.hdr(host),host_only,lower'",
          ...requestLines(ADDRESS_MAP),
        ]
      : []),
  ];
}

function deviceLines({ inner, handouts }: EdgeSockets): string[] {
  return [
    '',
    ...stepTo(inner, 'certified', WITH_NAME),
    '',
    'frontend gateway.certified',
    '    mode http',
    bindInner(inner, 'certified', CERTIFICATE_LIST, ` strict-sni alpn h2,http/1.1${ASKS_FOR_CERTIFICATE}`),
    ...HTTP_TIMES,
    SET_SNI,
    ...requestLines(SITE_MAP, DEVICES_ONLY, TO_HANDOUTS),
    ...deviceBackends(handouts),
  ];
}

/** At names for devices nobody is let in who was not asked for a certificate. */
const ANYONE: readonly string[] = [
  `    http-request return ${page('devices')} if { var(txn.host),map(${DEVICES_MAP}) -m found }`,
];

/** `map`: names that may be asked for there. `whom`: who is let in. `elsewhere`: what does not go to the service. */
function requestLines(
  map: string,
  whom: readonly string[] = ANYONE,
  elsewhere: readonly string[] = [],
): string[] {
  return [
    `    http-request track-sc0 ${SOURCE}`,
    `    http-request return ${page('often')} if { sc0_http_req_rate gt ${REQUESTS_IN_TEN_SECONDS} }`,
    SET_HOST,
    '    acl same_name var(txn.host),strcmp(txn.sni) eq 0',
    `    http-request return ${page('elsewhere')} unless same_name`,
    ...whom,
    `    http-request ${lookUp('var(txn.host)', map)}`,
    `    http-request return ${page('elsewhere')} unless ${IS_FOUND}`,
    ...headerLines('https'),
    ...strictLines(),
    `    http-request set-var(txn.onion) var(txn.host),map_str(${ONION_MAP})`,
    '    http-request set-var(txn.target) pathq',
    // One alone: Tor Browser merges several into one that leads nowhere.
    '    http-response set-header Onion-Location "http://%[var(txn.onion)]%[var(txn.target)]" if { var(txn.onion) -m found }',
    ...elsewhere,
    LEAD_ON,
  ];
}

/** What every service hears of a visitor, by whatever way: what visitors say of themselves is removed before. */
export function headerLines(scheme: 'http' | 'https'): string[] {
  return [
    // One spelling of the name for every service behind.
    '    http-request set-var(txn.address) \'req.hdr(host),lower,regsub("[.](:|$)","\\1")\'',
    '    http-request set-header Host %[var(txn.address)]',
    // What a visitor lists there, a service behind might take for hop by hop, and drop: ours, for one.
    // No other protocol than this: over h2c (RFC 7540 3.2) requests would follow that nobody here sees.
    '    acl websocket req.hdr(upgrade) -m str -i websocket',
    '    http-request del-header Upgrade unless websocket',
    '    http-request del-header Connection unless websocket',
    '    http-request set-header Connection upgrade if websocket',
    `    http-request del-header ${PROXY_HEADERS} -m reg`,
    '    http-request set-header X-Forwarded-For %[src]',
    '    http-request set-header X-Real-IP %[src]',
    `    http-request set-header X-Forwarded-Proto ${scheme}`,
    '    http-request set-header X-Forwarded-Host %[var(txn.address)]',
  ];
}
