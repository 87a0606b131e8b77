import { formatIpv4, parseIpv4 } from '../core/inet.ts';
import { formatIpv6, parseIpv6 } from '../core/inet6.ts';
import type { Transport } from '../core/mapping.ts';

/** Port Control Protocol (RFC 6887): packets of 24 to 1100 bytes, a multiple of 4, to UDP port 5351. */
export const PCP_PORT = 5351;

/** Where routers announce that they lost their state (14.1.3), and NAT-PMP ones their address (RFC 6886 3.2.1). */
export const ANNOUNCE_PORT = 5350;
export const ANNOUNCE_GROUP = '224.0.0.1';
export const ANNOUNCE_GROUP_V6 = 'ff02::1';

export interface PcpMapRequest {
  readonly transport: Transport;
  /** As the router must see it; it refuses with ADDRESS_MISMATCH where a NAT stands between (8.3). */
  readonly internalAddress: string;
  readonly internalPort: number;
  /** Suggested. */
  readonly externalPort: number;
  readonly externalAddress?: string;
  /** 0 deletes (15.1). */
  readonly lifetimeSeconds: number;
  /** 24 hex digits. */
  readonly nonce: string;
}

interface Head {
  /** 0: success (7.4). */
  readonly result: number;
  /** Of the mapping; with an error, how long asking again is useless. */
  readonly lifetimeSeconds: number;
  readonly epochSeconds: number;
}

export type PcpAnswer =
  /** Not PCP's version 2: a NAT-PMP router says 0 (section 9). */
  | { readonly type: 'version'; readonly version: number }
  | (Head & { readonly type: 'announce' })
  | (Head & {
      readonly type: 'map';
      readonly nonce: string;
      readonly transport: Transport;
      readonly internalPort: number;
      readonly externalPort: number;
      readonly externalAddress: string;
    });

/** Result codes of 7.4, by number. */
export const PCP_RESULTS = [
  'SUCCESS',
  'UNSUPP_VERSION',
  'NOT_AUTHORIZED',
  'MALFORMED_REQUEST',
  'UNSUPP_OPCODE',
  'UNSUPP_OPTION',
  'MALFORMED_OPTION',
  'NETWORK_FAILURE',
  'NO_RESOURCES',
  'UNSUPP_PROTOCOL',
  'USER_EX_QUOTA',
  'CANNOT_PROVIDE_EXTERNAL',
  'ADDRESS_MISMATCH',
  'EXCESSIVE_REMOTE_PEERS',
] as const;

const VERSION = 2;
const OPCODE = { announce: 0, map: 1 } as const;
const ANSWER = 128;
/** IANA protocol numbers. */
const PROTOCOL = { udp: 17, tcp: 6 } as const;
const HEAD_BYTES = 24;
const MAP_BYTES = 60;
const MOST_BYTES = 1100;

export function encodeMap(request: PcpMapRequest): Uint8Array {
  const bytes = new Uint8Array(MAP_BYTES);
  const view = new DataView(bytes.buffer);
  writeHead(view, OPCODE.map, request.internalAddress, request.lifetimeSeconds);
  bytes.set(fromHex(request.nonce), 24);
  view.setUint8(36, PROTOCOL[request.transport]);
  view.setUint16(40, request.internalPort);
  view.setUint16(42, request.externalPort);
  writeAddress(view, 44, request.externalAddress ?? anyOf(request.internalAddress));
  return bytes;
}

/** Never throws; `undefined` for what is no answer of PCP or NAT-PMP. */
export function parsePcpAnswer(bytes: Uint8Array): PcpAnswer | undefined {
  if (bytes.length < 4 || bytes.length > MOST_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [version, opcode] = [view.getUint8(0), view.getUint8(1)];
  if ((opcode & ANSWER) === 0) return undefined;
  if (version !== VERSION) return { type: 'version', version };
  if (bytes.length < HEAD_BYTES || bytes.length % 4 !== 0) return undefined;
  const head = {
    result: view.getUint8(3),
    lifetimeSeconds: view.getUint32(4),
    epochSeconds: view.getUint32(8),
  };
  if (opcode === ANSWER + OPCODE.announce) return { type: 'announce', ...head };
  if (opcode !== ANSWER + OPCODE.map || bytes.length < MAP_BYTES) return undefined;
  const transport = transportOf(view.getUint8(36));
  if (transport === undefined) return undefined;
  return {
    type: 'map',
    ...head,
    nonce: Array.from(bytes.subarray(24, 36), (byte) => byte.toString(16).padStart(2, '0')).join(''),
    transport,
    internalPort: view.getUint16(40),
    externalPort: view.getUint16(42),
    externalAddress: readAddress(view, 44),
  };
}

function writeHead(view: DataView, opcode: number, client: string, lifetimeSeconds: number): void {
  view.setUint8(0, VERSION);
  view.setUint8(1, opcode);
  view.setUint32(4, lifetimeSeconds);
  writeAddress(view, 8, client);
}

/** No suggestion (11.1), in the family that is asked for. */
function anyOf(internalAddress: string): string {
  return internalAddress.includes(':') ? '::' : '0.0.0.0';
}

/** IPv6 as it is, IPv4 as `::ffff:a.b.c.d` (section 5). */
function writeAddress(view: DataView, offset: number, address: string): void {
  if (address.includes(':')) {
    const value = parseIpv6(address) ?? 0n;
    view.setBigUint64(offset, value >> 64n);
    view.setBigUint64(offset + 8, value & 0xffff_ffff_ffff_ffffn);
    return;
  }
  view.setUint16(offset + 10, 0xffff);
  view.setUint32(offset + 12, parseIpv4(address) ?? 0);
}

function readAddress(view: DataView, offset: number): string {
  const [high, low] = [view.getBigUint64(offset), view.getBigUint64(offset + 8)];
  const isMapped = high === 0n && low >> 32n === 0xffffn;
  return isMapped ? formatIpv4(Number(low & 0xffff_ffffn)) : formatIpv6((high << 64n) | low);
}

function transportOf(protocol: number): Transport | undefined {
  if (protocol === PROTOCOL.udp) return 'udp';
  return protocol === PROTOCOL.tcp ? 'tcp' : undefined;
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.slice(0, 24).match(/[0-9a-f]{2}/g) ?? [], (byte) => parseInt(byte, 16));
}
