import { createHash } from 'node:crypto';
import { isInCidr } from '../core/inet.ts';
import { canonical } from '../core/plan.ts';
import type { EdgeSite, EdgeSpec } from '../core/operations.ts';
import { UNLESS_MAY_UNLOCK } from './edge-devices.ts';
import { page, servicePages } from './edge-pages.ts';

/**
 * Where visitors of web names are carried on to. What a service asks for is in its server, what its kind asks for in the
 * backend, so that a service comes and goes while HAProxy runs: a map leads a name to `<backend>/<server>`.
 *
 * | nature    | of                 | its backends                                         |
 * | --------- | ------------------ | ---------------------------------------------------- |
 * | `pages`   | HTTP               | see requests, and answer for a service that does not |
 * | `wallets` | HTTP, LND          | the same, and refuse the calls that open the wallet  |
 * | `streams` | TLS to other bytes | pass them as they are                                |
 *
 * A server is never changed and never deleted (HAProxy 2.6 can crash when one with a WebSocket is): another address is
 * another server, and one to which no map leads gets nobody. It has no weight: nobody comes to it by chance, so a
 * visitor whose server is not there gets 503, and never another service. Its connections are its own, and with them what
 * HAProxy keeps open for the next request.
 */
type Nature = 'pages' | 'wallets' | 'streams';

/** HAProxy looks for a server by its name in one backend after the other of them, so each holds a part. */
const GROUPS = '0123456789abcdef';

export interface SiteServer {
  readonly backend: string;
  /** `<service>.<hash of the rest>`: no name of a service has a dot in it. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** The rest of its line in the configuration, and of the command that adds it. */
  readonly words: string;
}

/** Two names of one service lead to one server. */
export function serverOf(site: EdgeSite, { pool, source }: EdgeSpec): SiteServer {
  const { service, to, speaksTls, backend } = site;
  const host = to.host.includes(':') ? `ipv6@[${to.host}]` : `ipv4@${to.host}`;
  const words = [
    `${host}:${to.port} weight 0`,
    ...(isInCidr(to.host, pool) ? [`source ${source}`] : []),
    // Its certificate is of its own making; the way there leaves this machine only for a target in the LAN.
    ...(speaksTls === true ? ['ssl verify none'] : []),
    ...(backend === 'h2c' ? ['proto h2'] : []),
  ].join(' ');
  const nature = natureOf(site);
  const hash = createHash('sha256')
    .update(canonical([service, nature, words]))
    .digest('hex')
    .slice(0, 12);
  return { backend: `${nature}.${hash[0]}`, name: `${service}.${hash}`, ...to, words };
}

function natureOf({ mode, guard }: EdgeSite): Nature {
  if (mode === 'tcp') return 'streams';
  return guard === 'wallet' ? 'wallets' : 'pages';
}

/** What a map says of a name. */
export function targetOf(site: EdgeSite, spec: EdgeSpec): string {
  const { backend, name } = serverOf(site, spec);
  return `${backend}/${name}`;
}

/** In a frontend: `key` is what is looked up. The rest is for `leadLines`, once it is known to be found. */
export function lookUp(key: string, map: string): string {
  return `set-var(txn.to) ${key},map_str(${map})`;
}

export const IS_FOUND = '{ var(txn.to) -m found }';
export const LEAD_ON = '    use_backend %[var(txn.to),word(1,/)]';

/** Whose services they are; `show sess` says the server. */
export function isServerOf(service: string, server: string): boolean {
  return server.startsWith(`${service}.`);
}

/** All servers, each once, sorted. */
export function serversOf(spec: EdgeSpec): SiteServer[] {
  const all = new Map(spec.sites.map((site) => [targetOf(site, spec), serverOf(site, spec)]));
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, server]) => server);
}

/** Backends are there before there is a service in them: none can be added while HAProxy runs. */
export function serviceLines(spec: EdgeSpec): string[] {
  const byBackend = Map.groupBy(serversOf(spec), ({ backend }) => backend);
  return (['pages', 'wallets', 'streams'] as const).flatMap((nature) =>
    GROUPS.split('').flatMap((group) => {
      const backend = `${nature}.${group}`;
      const servers = byBackend.get(backend) ?? [];
      return ['', `backend ${backend}`, ...natureLines(nature), ...servers.map(serverLine)];
    }),
  );
}

function serverLine({ name, words }: SiteServer): string {
  return `    server ${name} ${words}`;
}

/** Those lines alone can come while HAProxy runs; the rest is what it has loaded. */
export function isServerLine(line: string): boolean {
  return /^ {4}server \S+\.[0-9a-f]{12} /.test(line);
}

function natureLines(nature: Nature): string[] {
  return [
    ...(nature === 'streams' ? [] : ['    mode http', '    timeout server 1h', '    timeout tunnel 24h']),
    ...(nature === 'streams' ? [] : servicePages()),
    ...(nature === 'wallets' ? WALLET_GUARD : []),
    '    use-server %[var(txn.to),word(2,/)] if TRUE',
  ];
}

/**
 * LND's calls that open a wallet or make one (REST, and gRPC by its own path): who can call them from anywhere can try
 * passwords from anywhere. Go reads the path decoded, so it is judged decoded.
 */
const WALLET_CALLS = '(unlockwallet|initwallet|genseed|changepassword|walletunlocker)';
const WALLET_GUARD = [
  `    http-request return ${page('wallet')} if { path,url_dec -i -m reg ${WALLET_CALLS} } ${UNLESS_MAY_UNLOCK}`,
];
