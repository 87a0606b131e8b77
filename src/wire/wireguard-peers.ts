import { GatewayError } from '../core/errors.ts';
import { parseCidr, parseEndpoint } from '../core/inet.ts';
import { parseIpv6Cidr } from '../core/inet6.ts';
import { isKey } from './wireguard.ts';

/** One peer as `wg addconf` is told it. */
export interface PeerConf {
  readonly publicKey: string;
  readonly presharedKey: string;
  readonly allowedIps: readonly string[];
  /** Where it was last; left out, it has to come to us. */
  readonly endpoint?: string;
  readonly keepaliveSeconds?: number;
}

/** With a keepalive WireGuard sends to a peer at once. */
const WAKE_SECONDS = 25;

/** Sends a packet to where a peer was last, if that is known. */
export function wakeAt(endpoint: string | undefined): Pick<PeerConf, 'endpoint' | 'keepaliveSeconds'> {
  return endpoint === undefined ? {} : { endpoint, keepaliveSeconds: WAKE_SECONDS };
}

/** Text for `wg addconf`: any number of peers in one call, whose sessions go on where nothing changes. */
export function renderPeers(peers: readonly PeerConf[]): string {
  return peers.map((peer) => `[Peer]\n${linesOf(peer).join('\n')}\n`).join('\n');
}

function linesOf({ publicKey, presharedKey, allowedIps, endpoint, keepaliveSeconds }: PeerConf): string[] {
  demand(isKey(publicKey), 'a public key is not a WireGuard key');
  demand(isKey(presharedKey), 'a preshared key is not a WireGuard key');
  for (const block of allowedIps) demand(isBlock(block), `${block} is not a block of addresses`);
  if (endpoint !== undefined) {
    const type = parseEndpoint(endpoint)?.type;
    // A name would have to be looked up, which takes as long as a server likes.
    demand(type === 'ipv4' || type === 'ipv6', `endpoint ${endpoint} is not an address and port`);
  }
  demand(Number.isInteger(keepaliveSeconds ?? 0), `keepalive ${keepaliveSeconds} is not a number of seconds`);
  return [
    `PublicKey = ${publicKey}`,
    `PresharedKey = ${presharedKey}`,
    `AllowedIPs = ${allowedIps.join(', ')}`,
    ...(endpoint === undefined ? [] : [`Endpoint = ${endpoint}`]),
    ...(keepaliveSeconds === undefined ? [] : [`PersistentKeepalive = ${keepaliveSeconds}`]),
  ];
}

function isBlock(text: string): boolean {
  return parseCidr(text) !== undefined || parseIpv6Cidr(text) !== undefined;
}

function demand(isTrue: boolean, what: string): void {
  if (!isTrue)
    throw new GatewayError(`no peers can be set: ${what}`, { code: 'InvalidRequest', retry: 'never' });
}
