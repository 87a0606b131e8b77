import { createHash } from 'node:crypto';
import { formatEndpoint } from '../../core/inet.ts';
import { LIFE_LINES } from '../../helper/edge-config.ts';
import { addressIn } from '../addresses.ts';
import type { Holding, RelayGround } from '../state.ts';

/** HAProxy of the relay as text. Which name goes to which home is in a map, which changes while it runs. */
export const NAMES_MAP = 'names.map';
export const REFUSE_LUA = 'refuse.lua';

/**
 * Fatal alert `unrecognized_name` (RFC 6066, 3) in the clear, as it is before a handshake: no certificate is needed, and
 * the relay has none.
 */
export const REFUSE_PROGRAM = `-- Written by gateway; changes are overwritten.
core.register_service("refuse", "tcp", function(applet)
  applet:send("\\x15\\x03\\x03\\x00\\x02\\x02\\x70")
end)
`;

export interface DoorsOptions {
  /** Where visitors come in: addresses of this machine. */
  readonly addresses: readonly string[];
  readonly ground: Pick<RelayGround, 'tlsPort' | 'httpPort'>;
  /** `host:port` of a program of this machine that has all other names; TLS is not ended before it. */
  readonly other: string | undefined;
  readonly controlSocket: string;
}

/** Visitors of one home at once, so that it cannot use up what the others need. */
const VISITORS_PER_HOME = 4000;
const VISITORS = 16_000;
const VISITORS_OF_ONE_SOURCE = 500;

export interface DoorsConfig {
  readonly text: string;
  /** HAProxy gives it back as its description: so it says what it has loaded. */
  readonly hash: string;
}

export function renderDoors(options: DoorsOptions): DoorsConfig {
  const { addresses, ground, other, controlSocket } = options;
  const body = [
    '    default-path config',
    `    stats socket "${controlSocket}" mode 600 level admin expose-fd listeners`,
    `    lua-load ${REFUSE_LUA}`,
    // The limit of files that we were given may be a billion, and HAProxy takes memory for each.
    '    fd-hard-limit 65536',
    '',
    'defaults',
    ...LIFE_LINES,
    '    option splice-auto',
    '',
    'backend sources',
    '    stick-table type ipv6 size 100k expire 1m store conn_cur',
    'backend busy',
    '    stick-table type ip size 8k expire 1m store conn_cur',
    ...tlsLines(addresses, ground.tlsPort, other),
    ...(ground.httpPort === null ? [] : httpLines(addresses, ground.httpPort)),
    '',
  ].join('\n');
  const hash = createHash('sha256').update(body).digest('hex');
  const head = `# Written by gateway; changes are overwritten.\nglobal\n    description gateway-${hash}\n`;
  return { text: `${head}${body}`, hash };
}

/** A household is one source, whatever the family of its address. */
const SOURCE_LINES: readonly string[] = [
  '    tcp-request connection track-sc0 src,ipmask(32,64) table sources',
  `    tcp-request connection reject if { sc0_conn_cur gt ${VISITORS_OF_ONE_SOURCE} }`,
];

/** The address of a home stands for it: with `set-dst` a home needs no server of its own, and a new one no reload. */
function tlsLines(addresses: readonly string[], port: number, other: string | undefined): string[] {
  const refuse =
    other === undefined
      ? ['    tcp-request content use-service lua.refuse unless { var(sess.home) -m found }']
      : ['    use_backend other unless { var(sess.home) -m found }'];
  return [
    '',
    'frontend tls',
    ...addresses.map((host) => `    bind ${formatEndpoint({ host, port })}`),
    `    maxconn ${VISITORS}`,
    ...SOURCE_LINES,
    '    tcp-request inspect-delay 10s',
    '    tcp-request content reject unless { req.ssl_hello_type 1 }',
    `    tcp-request content set-var(sess.home) req.ssl_sni,lower,map_str_ip(${NAMES_MAP})`,
    '    tcp-request content track-sc1 var(sess.home) table busy if { var(sess.home) -m found }',
    `    tcp-request content reject if { sc1_conn_cur gt ${VISITORS_PER_HOME} }`,
    '    tcp-request content set-dst var(sess.home) if { var(sess.home) -m found }',
    ...refuse,
    '    default_backend homes',
    'backend homes',
    '    server home 0.0.0.0:443 send-proxy-v2',
    ...(other === undefined ? [] : ['backend other', `    server other ${other}`]),
  ];
}

/** In the clear, as visitors send it: challenges of authorities, and whoever types a name without https. */
function httpLines(addresses: readonly string[], port: number): string[] {
  return [
    '',
    'frontend http',
    '    mode http',
    ...addresses.map((host) => `    bind ${formatEndpoint({ host, port })}`),
    '    maxconn 2000',
    ...SOURCE_LINES,
    '    timeout http-request 15s',
    '    timeout http-keep-alive 15s',
    '    timeout client 1m',
    `    http-request set-var(txn.home) 'req.hdr(host),host_only,lower,map_str_ip(${NAMES_MAP})'`,
    '    http-request return status 404 unless { var(txn.home) -m found }',
    '    http-request set-dst var(txn.home)',
    '    default_backend homes-http',
    'backend homes-http',
    '    mode http',
    '    timeout server 1m',
    '    http-reuse never',
    '    server home 0.0.0.0:80 send-proxy-v2',
  ];
}

/** Name to address of its home. */
export function namesOf(ground: RelayGround, holdings: readonly Holding[]): ReadonlyMap<string, string> {
  return new Map(
    holdings.flatMap(({ names, number }) => names.map((name) => [name, addressIn(ground, number)] as const)),
  );
}

/** Lines of HAProxy's runtime API that make one map the other. */
export function mapCommands(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): string[] {
  const gone = [...before].filter(([name, home]) => after.get(name) !== home);
  const fresh = [...after].filter(([name, home]) => before.get(name) !== home);
  return [
    ...gone.map(([name]) => `del map ${NAMES_MAP} ${name}`),
    ...fresh.map(([name, home]) => `add map ${NAMES_MAP} ${name} ${home}`),
  ];
}

/** `0x5581 pay.example.com 10.127.0.2`, a line each. */
export function parseShownMap(text: string): Map<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const [, name, home] = /^0x[0-9a-f]+ (\S+) (\S+)$/.exec(line.trim()) ?? [];
      return name === undefined || home === undefined ? [] : [[name, home] as const];
    }),
  );
}
