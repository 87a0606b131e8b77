import { formatIpv4 } from '../core/inet.ts';
import type { Transport } from '../core/mapping.ts';

/** NAT-PMP (RFC 6886): requests of 2 or 12 bytes to UDP port 5351, answers of 8 to 16. */
export const NAT_PMP_PORT = 5351;

export interface NatPmpMapRequest {
  readonly transport: Transport;
  readonly internalPort: number;
  /** Preferred; 0 when deleting. */
  readonly externalPort: number;
  /** 0 deletes (3.4). */
  readonly lifetimeSeconds: number;
}

/** What every answer begins with. */
interface Head {
  /** 0: success (3.5). */
  readonly result: number;
  /** Seconds since the router forgot its mappings (3.6). */
  readonly epochSeconds: number;
}

export type NatPmpAnswer =
  /** The router speaks another version; of PCP it is 2. */
  | { readonly type: 'version'; readonly version: number }
  | (Head & { readonly type: 'address'; readonly address: string })
  | (Head & {
      readonly type: 'mapping';
      readonly transport: Transport;
      readonly internalPort: number;
      readonly externalPort: number;
      readonly lifetimeSeconds: number;
    });

/** Result codes of 3.5. */
export const NAT_PMP_RESULTS = [
  'success',
  'unsupported version',
  'not authorized',
  'network failure',
  'out of resources',
  'unsupported opcode',
] as const;

const OPCODE = { udp: 1, tcp: 2 } as const;
/** Set in every answer. */
const ANSWER = 128;

export function encodeAddressRequest(): Uint8Array {
  return Uint8Array.of(0, 0);
}

export function encodeMapRequest(request: NatPmpMapRequest): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(1, OPCODE[request.transport]);
  view.setUint16(4, request.internalPort);
  view.setUint16(6, request.externalPort);
  view.setUint32(8, request.lifetimeSeconds);
  return bytes;
}

/** Never throws; `undefined` for what is no answer. An error may come without what follows the head (3.5). */
export function parseNatPmpAnswer(bytes: Uint8Array): NatPmpAnswer | undefined {
  if (bytes.length < 4 || bytes.length > 1100) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [version, opcode] = [view.getUint8(0), view.getUint8(1)];
  if ((opcode & ANSWER) === 0) return undefined;
  if (version !== 0) return { type: 'version', version };
  if (bytes.length < 8) return undefined;
  const head = { result: view.getUint16(2), epochSeconds: view.getUint32(4) };
  const isWhole = (length: number): boolean => bytes.length >= length || head.result !== 0;
  if (opcode === ANSWER) {
    if (!isWhole(12)) return undefined;
    return { type: 'address', ...head, address: formatIpv4(bytes.length >= 12 ? view.getUint32(8) : 0) };
  }
  if (opcode !== ANSWER + OPCODE.udp && opcode !== ANSWER + OPCODE.tcp) return undefined;
  if (!isWhole(16)) return undefined;
  const at16 = (offset: number): number => (bytes.length >= offset + 2 ? view.getUint16(offset) : 0);
  return {
    type: 'mapping',
    ...head,
    transport: opcode === ANSWER + OPCODE.udp ? 'udp' : 'tcp',
    internalPort: at16(8),
    externalPort: at16(10),
    lifetimeSeconds: bytes.length >= 16 ? view.getUint32(12) : 0,
  };
}
