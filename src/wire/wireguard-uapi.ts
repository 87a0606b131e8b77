import { parseEndpoint } from '../core/inet.ts';
import { type DumpedPeer, encodeKey } from './wireguard.ts';

/**
 * What wireguard-go says over its own socket (wireguard.com/xplatform): everything that it runs with, secrets too, so that
 * it can be told to another process when this one is gone.
 */
export interface RunningWireguard {
  /** Base64, as every key here; secret. `undefined` before one was set. */
  readonly privateKey: string | undefined;
  /** 0 when no port is bound. */
  readonly listenPort: number;
  readonly peers: readonly DumpedPeer[];
}

export const UAPI_GET = 'get=1\n\n';
const END = /(?:^|\n)errno=(-?[0-9]+)\n\n$/;

/** Is the answer whole? It ends with its error number and an empty line. */
export function isWholeAnswer(text: string): boolean {
  return END.test(text.slice(-32));
}

/** Never throws: what cannot be understood is left out. `undefined` when the process says that it failed. */
export function parseUapi(text: string): RunningWireguard | undefined {
  if (END.exec(text)?.[1] !== '0') return undefined;
  let privateKey: string | undefined;
  let listenPort = 0;
  const peers: Writable<DumpedPeer>[] = [];
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    const [key, value] = [line.slice(0, equals), line.slice(equals + 1)];
    if (key === 'public_key') peers.push(emptyPeer(keyOf(value) ?? ''));
    const peer = peers.at(-1);
    if (peer === undefined) {
      if (key === 'private_key') privateKey = keyOf(value);
      if (key === 'listen_port') listenPort = countOf(value, 65535);
    } else addTo(peer, key, value);
  }
  return { privateKey, listenPort, peers: peers.filter(({ publicKey }) => publicKey !== '') };
}

type Writable<Item> = { -readonly [Key in keyof Item]: Item[Key] };

function emptyPeer(publicKey: string): Writable<DumpedPeer> {
  const counts = { latestHandshake: 0, received: 0, sent: 0, keepaliveSeconds: 0 };
  return { publicKey, presharedKey: undefined, endpoint: undefined, allowedIps: [], ...counts };
}

function addTo(peer: Writable<DumpedPeer>, key: string, value: string): void {
  if (key === 'preshared_key') peer.presharedKey = keyOf(value);
  if (key === 'endpoint' && parseEndpoint(value) !== undefined) peer.endpoint = value;
  if (key === 'allowed_ip') peer.allowedIps = [...peer.allowedIps, value];
  if (key === 'last_handshake_time_sec') peer.latestHandshake = countOf(value, 2 ** 40);
  if (key === 'rx_bytes') peer.received = countOf(value, Number.MAX_SAFE_INTEGER);
  if (key === 'tx_bytes') peer.sent = countOf(value, Number.MAX_SAFE_INTEGER);
  if (key === 'persistent_keepalive_interval') peer.keepaliveSeconds = countOf(value, 65535);
}

const NO_KEY = '0'.repeat(64);

function keyOf(hex: string): string | undefined {
  if (!/^[0-9a-f]{64}$/.test(hex) || hex === NO_KEY) return undefined;
  return encodeKey(
    Uint8Array.from({ length: 32 }, (_, index) => parseInt(hex.slice(2 * index, 2 * index + 2), 16)),
  );
}

function countOf(text: string, most: number): number {
  const value = Number(text);
  return /^[0-9]+$/.test(text) && value <= most ? value : 0;
}
