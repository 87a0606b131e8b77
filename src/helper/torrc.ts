import { createHash } from 'node:crypto';
import { isInCidr } from '../core/inet.ts';
import { TorrcSpec, type OnionSpec } from '../core/operations.ts';
import type { AnonymousInstance } from '../core/tor-instance.ts';
import type { Drain } from './onion-drain.ts';
import { jsonAfter, leftOutOf, type LeftOut } from './own-comments.ts';
import { TOR_VIRTUAL_BLOCK } from './rules.ts';

interface WayOutPorts {
  readonly trans: number;
  readonly dns: number;
}

/** Ports of each tor that services leave through, on tor's address on the link to the hub. */
export const WAY_OUT_PORTS: Readonly<Record<AnonymousInstance, WayOutPorts>> = {
  tor: { trans: 9040, dns: 9053 },
  'tor-only': { trans: 9041, dns: 9054 },
};

/** Everything but the paths is what was asked for; the paths are the helper's own. */
export interface TorrcPlace {
  readonly dataDirectory: string;
  readonly pidFile: string;
  readonly controlSocket: string;
  readonly socksSocket: string;
  readonly onionDirectory: (service: string) => string;
  /** HAProxy's socket for the visitors of an onion; `undefined`: it is not installed, and they come straight. */
  readonly doorOf: (service: string) => string | undefined;
  /** The program knows the options of the proof-of-work defence; to one built without they are errors. */
  readonly hasProofOfWork: boolean;
  /** `undefined`: its onion services do not hide where they are, and nobody leaves through it. */
  readonly wayOut: WayOutPorts | undefined;
}

export interface Torrc {
  readonly asked: TorrcSpec;
  readonly left: readonly LeftOut[];
  /** Nothing is wanted of it but that visitors may finish. */
  readonly isLeaving: boolean;
  /** Of everything below its own line; tor gives it back as `ContactInfo`: so the process says what it has loaded. */
  readonly hash: string;
}

const ASKED = '# asked: ';
const LEFT = '# left out: ';
const LEAVING = '# only until its visitors have finished';
/** Free text that only relays publish, and this tor is never one. */
const CONTACT = 'ContactInfo gateway ';
/** One visitor's circuit; a browser opens some dozens. Without a limit one circuit can take every file descriptor. */
const STREAMS_PER_CIRCUIT = 256;

/**
 * Without puzzles the introduction points let 25 visitors a second through (200 at once). Never both: they would drop
 * visitors who have paid, before tor sees what they paid.
 */
const RATE_LIMIT = 'HiddenServiceEnableIntroDoSDefense 1';

/** One hop to introduction and rendezvous points instead of three: tor then refuses to be a client as well. */
const SINGLE_HOP = ['SocksPort 0', 'HiddenServiceNonAnonymousMode 1', 'HiddenServiceSingleHopMode 1'];

export interface Ending {
  readonly drains?: readonly Drain[];
  readonly isLeaving?: boolean;
}

/** The torrc as text. Pure: the same input gives the same bytes. */
export function renderTorrc(
  asked: TorrcSpec,
  left: readonly LeftOut[],
  own: readonly string[],
  place: TorrcPlace,
  { drains = [], isLeaving = false }: Ending = {},
): string {
  const leftOut = new Set(left.map(({ service }) => service));
  const body = [
    '# Written by gateway; changes are overwritten. Own lines go to torrc.d/, beside gateway.yaml.',
    `${ASKED}${JSON.stringify(asked)}`,
    `${LEFT}${JSON.stringify(left)}`,
    ...(isLeaving ? [LEAVING] : []),
    `DataDirectory ${quote(place.dataDirectory)}`,
    `PidFile ${quote(place.pidFile)}`,
    // Without its lines about control connections: each look at tor is one.
    'Log [*,~control]notice stdout',
    'RunAsDaemon 0',
    'ClientOnly 1',
    'CookieAuthentication 0',
    `ControlPort ${socket(place.controlSocket)} GroupWritable RelaxDirModeCheck`,
    ...(place.wayOut === undefined
      ? SINGLE_HOP
      : [`SocksPort ${socket(place.socksSocket)} GroupWritable RelaxDirModeCheck`]),
    ...bindLines(asked, place),
    ...(asked.isWayOut === true && place.wayOut !== undefined ? wayOutLines(asked, place.wayOut) : []),
    ...asked.onions
      .filter(({ service }) => !leftOut.has(service))
      .flatMap((onion) => onionLines(onion, place)),
    ...drains.flatMap(({ spec }) => drainLines(spec, place)),
    ...(own.length === 0 ? [] : ['# from torrc.d/', ...own]),
    '',
  ].join('\n');
  const hash = createHash('sha256').update(body).digest('hex');
  return `${CONTACT}${[hash, ...roundsOf(asked, leftOut)].join(' ')}\n${body}`;
}

/** `lnd=2`: which introduction points each onion has. The process is asked for them before it is given a torrc. */
function roundsOf({ onions }: TorrcSpec, leftOut: ReadonlySet<string>): string[] {
  return onions
    .filter(({ service }) => !leftOut.has(service))
    .map(({ service, authorization }) => `${service}=${authorization?.round ?? 0}`);
}

/**
 * Onions that the running tor serves with introduction points that somebody may use who is not let in any more: they must
 * be taken away for a moment. `loaded` is the value that `GETCONF ContactInfo` gives.
 */
export function staleOnions({ asked, left }: Torrc, loaded: string): string[] {
  const leftOut = new Set(left.map(({ service }) => service));
  const entries = loaded.split(' ').slice(2);
  const rounds = new Map(entries.map((entry) => entry.split('=', 2) as [string, string]));
  // A torrc of an earlier version does not say what it serves.
  const isServed = (service: string): boolean => entries.length === 0 || rounds.has(service);
  return asked.onions
    .filter(({ authorization }) => authorization !== undefined)
    .filter(({ service }) => isServed(service) && !leftOut.has(service))
    .filter(({ service, authorization }) => rounds.get(service) !== String(authorization?.round))
    .map(({ service }) => service);
}

/** What a torrc of ours says about itself, or `undefined` when it is not ours. */
export function parseTorrc(text: string): Torrc | undefined {
  const lines = text.split('\n');
  const asked = TorrcSpec.safeParse(jsonAfter(lines, ASKED));
  if (!asked.success) return undefined;
  const hash = hashOf((lines[0] ?? '').slice(CONTACT.length));
  const isLeaving = lines.includes(LEAVING);
  return { asked: asked.data, left: leftOutOf(jsonAfter(lines, LEFT)), isLeaving, hash };
}

/** The hash inside the value that `GETCONF ContactInfo` gives. */
export function hashOfContact(value: string): string | undefined {
  const prefix = CONTACT.slice('ContactInfo '.length);
  return value.startsWith(prefix) ? hashOf(value.slice(prefix.length)) : undefined;
}

function hashOf(contact: string): string {
  return contact.split(' ', 1)[0] ?? '';
}

/** Without comments: what LOADCONF needs. */
export function withoutComments(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n');
}

function onionLines(onion: OnionSpec, place: TorrcPlace): string[] {
  const { service, virtualPort, proofOfWork } = onion;
  return [
    `HiddenServiceDir ${quote(place.onionDirectory(service))}`,
    'HiddenServiceVersion 3',
    ...targetLines(virtualPort, onion, place),
    `HiddenServiceMaxStreams ${STREAMS_PER_CIRCUIT}`,
    proofOfWork && place.hasProofOfWork ? 'HiddenServicePoWDefensesEnabled 1' : RATE_LIMIT,
  ];
}

/** HAProxy is told by which circuit a visitor comes: as far as anybody here knows, one circuit is one visitor. */
function targetLines(
  virtualPort: number,
  { service, target, through }: OnionSpec,
  place: TorrcPlace,
): string[] {
  const door = through === 'edge' ? place.doorOf(service) : undefined;
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  if (door === undefined) return [`HiddenServicePort ${virtualPort} ${host}:${target.port}`];
  return [`HiddenServicePort ${virtualPort} unix:${quote(door)}`, 'HiddenServiceExportCircuitID haproxy'];
}

/** As before, but leading to what is not there. */
function drainLines({ service, virtualPort }: OnionSpec, place: TorrcPlace): string[] {
  const directory = place.onionDirectory(service);
  return [
    `HiddenServiceDir ${quote(directory)}`,
    'HiddenServiceVersion 3',
    `HiddenServicePort ${virtualPort} unix:${quote(`${directory}/closed`)}`,
    RATE_LIMIT,
  ];
}

/**
 * tor dials services with the source address that the hub knows as tor's. The option holds for all targets but
 * loopback, and a machine of the LAN could not answer that address: with such a target the host's route must choose it.
 */
function bindLines({ source, pool, onions }: TorrcSpec, place: TorrcPlace): string[] {
  const isNear = ({ service, through, target: { host } }: OnionSpec): boolean => {
    if (through === 'edge' && place.doorOf(service) !== undefined) return true;
    return host === '::1' || host.startsWith('127.') || isInCidr(host, pool);
  };
  return onions.every(isNear) ? [`OutboundBindAddressExit ${source}`] : [];
}

/**
 * Connections and name queries of services arrive here by our redirect (egress-rules.ts) with their own source address, by
 * which tor keeps their circuits apart.
 */
function wayOutLines({ source }: TorrcSpec, { trans, dns }: WayOutPorts): string[] {
  return [
    `TransPort ${source}:${trans} IsolateClientAddr`,
    `DNSPort ${source}:${dns} IsolateClientAddr`,
    'AutomapHostsOnResolve 1',
    `VirtualAddrNetworkIPv4 ${TOR_VIRTUAL_BLOCK}`,
  ];
}

function quote(path: string): string {
  return `"${path.replaceAll(/["\\]/g, '\\$&')}"`;
}

function socket(path: string): string {
  return /^[\w./-]+$/.test(path) ? `unix:${path}` : `unix:${quote(path)}`;
}
