import { GatewayError } from '../core/errors.ts';
import { parseCidr, parseEndpoint, parseIpv4 } from '../core/inet.ts';
import { parseIpv6, parseIpv6Cidr } from '../core/inet6.ts';

/**
 * The text that a WireGuard app imports, and the text that `wg show … dump` prints.
 *
 * Both official apps refuse a file with any key that they do not know, so only keys that both know are written. There is
 * no place for a name, a comment or a DNS server: a comment could carry a newline into a file that wg-quick runs as
 * root (wg-easy, CVE-2026-72603), and on iOS any DNS server takes all of the phone's queries into the tunnel.
 */
export interface WireguardConf {
  /** Base64, as every key here. Left out when the device made its own and adds it itself. */
  readonly privateKey?: string | undefined;
  /** The device's own IPv4 address. */
  readonly address: string;
  /** Its IPv6 address; absent: it has none. */
  readonly address6?: string | undefined;
  readonly mtu?: number | undefined;
  readonly peerPublicKey: string;
  readonly presharedKey: string;
  /** Blocks of both families that go into the tunnel. */
  readonly allowedIps: readonly string[];
  readonly endpoint: string;
  readonly persistentKeepaliveSeconds?: number | undefined;
}

/** 32 bytes in base64: 43 characters, of which the last carries only four bits, and one `=`. */
const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

export function isKey(text: string): boolean {
  return KEY.test(text);
}

export function encodeKey(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** `undefined` unless it is exactly one key. */
export function decodeKey(text: string): Uint8Array | undefined {
  return isKey(text) ? Uint8Array.from(atob(text), (character) => character.charCodeAt(0)) : undefined;
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Every value is checked here again, so that nothing but a conf can come out. */
export function renderConf(conf: WireguardConf): string {
  demand(conf.privateKey === undefined || isKey(conf.privateKey), 'the private key is not a WireGuard key');
  demand(isKey(conf.peerPublicKey), "the gateway's public key is not a WireGuard key");
  demand(isKey(conf.presharedKey), 'the preshared key is not a WireGuard key');
  demand(parseIpv4(conf.address) !== undefined, `address ${conf.address} is not an IPv4 address`);
  const { address6 } = conf;
  demand(address6 === undefined || parseIpv6(address6) !== undefined, `${address6} is not an IPv6 address`);
  demand(conf.allowedIps.length > 0, 'nothing would go into the tunnel');
  for (const block of conf.allowedIps) {
    const isBlock = parseCidr(block) !== undefined || parseIpv6Cidr(block) !== undefined;
    demand(isBlock, `${block} is not a block of addresses`);
  }
  demand(parseEndpoint(conf.endpoint) !== undefined, `endpoint ${conf.endpoint} is not host:port`);
  demand(isBetween(conf.mtu ?? 1280, 1280, 9000), `MTU ${conf.mtu} is not from 1280 to 9000`);
  const keepalive = conf.persistentKeepaliveSeconds;
  demand(isBetween(keepalive ?? 0, 0, 65535), `keepalive ${keepalive} is not from 0 to 65535 seconds`);
  return [
    '[Interface]',
    ...(conf.privateKey === undefined ? [] : [`PrivateKey = ${conf.privateKey}`]),
    `Address = ${addressesOf(conf).join(', ')}`,
    ...(conf.mtu === undefined ? [] : [`MTU = ${conf.mtu}`]),
    '',
    '[Peer]',
    `PublicKey = ${conf.peerPublicKey}`,
    `PresharedKey = ${conf.presharedKey}`,
    `AllowedIPs = ${conf.allowedIps.join(', ')}`,
    `Endpoint = ${conf.endpoint}`,
    ...(keepalive === undefined ? [] : [`PersistentKeepalive = ${keepalive}`]),
    '',
  ].join('\n');
}

/** With their lengths: `10.64.8.2/32`. */
export function addressesOf({ address, address6 }: WireguardConf): string[] {
  return [`${address}/32`, ...(address6 === undefined ? [] : [`${address6}/128`])];
}

/** Reads what `renderConf` writes, and nothing else: `undefined` for every other text. */
export function parseConf(text: string): WireguardConf | undefined {
  const values = new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const [, key, value] = /^([A-Za-z]+) = (.+)$/.exec(line) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value]];
    }),
  );
  const get = (key: string): string => values.get(key) ?? '';
  const count = (key: string): number | undefined => (values.has(key) ? Number(get(key)) : undefined);
  const [address = '', address6] = get('Address').split(', ');
  const conf: WireguardConf = {
    privateKey: values.get('PrivateKey'),
    address: address.replace(/\/32$/, ''),
    address6: address6?.replace(/\/128$/, ''),
    mtu: count('MTU'),
    peerPublicKey: get('PublicKey'),
    presharedKey: get('PresharedKey'),
    allowedIps: get('AllowedIPs').split(', '),
    endpoint: get('Endpoint'),
    persistentKeepaliveSeconds: count('PersistentKeepalive'),
  };
  try {
    return renderConf(conf) === text ? conf : undefined;
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}

/** Never the value of a key: the message is shown and logged. */
function demand(isTrue: boolean, what: string): void {
  if (!isTrue) {
    throw new GatewayError(`no WireGuard configuration can be made: ${what}`, {
      code: 'InvalidRequest',
      retry: 'when-changed',
    });
  }
}

function isBetween(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

/** One WireGuard interface as it runs. */
export interface WireguardDump {
  /** Empty before a private key was set. */
  readonly publicKey: string;
  /** 0 when no port is bound. */
  readonly listenPort: number;
  readonly peers: readonly DumpedPeer[];
}

export interface DumpedPeer {
  readonly publicKey: string;
  /** Secret. */
  readonly presharedKey: string | undefined;
  /** `host:port` of the last authenticated packet. */
  readonly endpoint: string | undefined;
  readonly allowedIps: readonly string[];
  /** Seconds since the epoch; 0 before the first handshake. */
  readonly latestHandshake: number;
  readonly received: number;
  readonly sent: number;
  /** 0 when it is off. */
  readonly keepaliveSeconds: number;
}

/**
 * Reads `wg show INTERFACE dump`. Never throws: a line that is not a peer is left out, a number that is none is 0.
 * `undefined` when the first line does not describe an interface. The interface's private key is not kept.
 */
export function parseDump(text: string): WireguardDump | undefined {
  const [first = '', ...rest] = text.split('\n');
  const fields = first.split('\t');
  if (fields.length !== 4) return undefined;
  const publicKey = fields[1] ?? '';
  return {
    publicKey: isKey(publicKey) ? publicKey : '',
    listenPort: countOf(fields[2], 65535),
    peers: rest.flatMap(parsePeer),
  };
}

function parsePeer(line: string): DumpedPeer[] {
  const fields = line.split('\t');
  const [publicKey = '', presharedKey = '', endpoint = '', allowedIps = '', ...counts] = fields;
  const [handshake, received, sent, keepalive] = counts;
  if (fields.length !== 8 || !isKey(publicKey)) return [];
  return [
    {
      publicKey,
      presharedKey: isKey(presharedKey) ? presharedKey : undefined,
      endpoint: parseEndpoint(endpoint) === undefined ? undefined : endpoint,
      allowedIps: allowedIps.split(',').filter((block) => /^[0-9a-f.:]+\/[0-9]{1,3}$/.test(block)),
      latestHandshake: countOf(handshake, 2 ** 40),
      received: countOf(received, Number.MAX_SAFE_INTEGER),
      sent: countOf(sent, Number.MAX_SAFE_INTEGER),
      keepaliveSeconds: countOf(keepalive, 65535),
    },
  ];
}

function countOf(text: string | undefined, most: number): number {
  const value = Number(text);
  return /^[0-9]+$/.test(text ?? '') && value <= most ? value : 0;
}
