import { HANDOUT_PATH } from '../core/name.ts';
import type { EdgeSpec } from '../core/operations.ts';
import { page } from './edge-pages.ts';

/**
 * Names that let in only devices: a frontend of their own, which asks for a certificate. Who issued it decides only which
 * one a browser offers; whether its holder may come in is looked up at each request, by fingerprint, in a map that
 * changes at run time. So neither a connection that is open nor a TLS session that is resumed outlives a grant.
 */
export const DEVICES_MAP = 'devices.map';
export const CLIENTS_MAP = 'clients.map';
const AUTHORITY = 'devices-authority.pem';
/** `shop/<fingerprint>,<name of the connection>` of each connection by which a device was let in. */
export const SEATS = 'gateway.seats';

/** Files that the configuration reads besides maps, by name. */
export function deviceFiles({ authority }: EdgeSpec): [string, string][] {
  return authority === undefined ? [] : [[AUTHORITY, authority]];
}

/**
 * To that frontend; without an authority there is none, and the others let nobody in at these names. What a connection is
 * called there is whom it comes from itself: for a relay's visitor the hub, as `show sess` has it too.
 */
export function toDevices({ authority }: EdgeSpec): string[] {
  if (authority === undefined) return [];
  return [
    '    unique-id-format %[fc_src]:%[fc_src_port]',
    `    use_backend gateway.certified if { req.ssl_sni,lower,map(${DEVICES_MAP}) -m found }`,
  ];
}

/** Of the step to that frontend: the connection's name goes with it. */
export const WITH_NAME = ' proxy-v2-options unique-id';

/** By plain http the link would be for everybody on the way to read, and to use first. */
export function neverByHttp(): string[] {
  return [`    http-request return ${page('plain')} if { path_beg ${HANDOUT_PATH} }`];
}

/** What that frontend's socket says of TLS: a stranger's certificate is answered with a page, not with an alert. */
export const ASKS_FOR_CERTIFICATE = ` verify optional ca-file ${AUTHORITY} crt-ignore-err all ca-ignore-err all`;

/**
 * Seats are noted before it is looked up who may have one: whoever takes a device out of the map and then ends what is
 * noted misses nobody.
 */
export const DEVICES_ONLY: readonly string[] = [
  `    http-request return ${page('elsewhere')} unless { var(txn.host),map(${DEVICES_MAP}) -m found }`,
  `    acl handout path -m reg ^${HANDOUT_PATH.replaceAll('.', '[.]')}[A-Za-z0-9_-]{22}$`,
  '    http-request set-var(txn.fingerprint) ssl_c_der,sha2(256),hex,lower',
  `    http-request set-var-fmt(txn.client) "%[var(txn.host),map_str(${DEVICES_MAP})]/%[var(txn.fingerprint)]"`,
  `    http-request set-var-fmt(txn.unlock) "%[var(txn.host),map_str(${DEVICES_MAP})]/unlock/%[var(txn.fingerprint)]"`,
  `    acl granted var(txn.client),map(${CLIENTS_MAP}) -m found`,
  '    http-request set-var-fmt(txn.seat) "%[var(txn.client)],%[fc_pp_unique_id]"',
  `    http-request track-sc1 var(txn.seat) table ${SEATS} if granted`,
  `    http-request return ${page('devices')} unless handout or granted`,
];

/** Who was given the right. At a page for anyone nobody was asked who they are, so nobody is. */
export const UNLESS_MAY_UNLOCK = `!{ var(txn.unlock),map(${CLIENTS_MAP}) -m found }`;

/** Before the backend of the name is chosen. */
export const TO_HANDOUTS: readonly string[] = ['    use_backend gateway.handouts if handout'];

/** `socket`: of the daemon, quoted. */
export function deviceBackends(socket: string): string[] {
  return [
    '',
    `backend ${SEATS}`,
    '    stick-table type string len 160 size 100k expire 10m store conn_cur',
    '',
    'backend gateway.handouts',
    '    mode http',
    '    timeout server 10s',
    `    http-error status 503 ${page('absent').replace(/^status \d+ /, '')}`,
    // Nothing there takes long, and nobody shall keep the daemon from its work.
    `    server daemon unix@${socket} maxconn 20`,
  ];
}
