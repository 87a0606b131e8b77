import { concat } from './blake2s.ts';

/**
 * Datagrams of a walk (core/relay-walk.ts): `GWwk`, the session, the flow, and what it is for. Random 128 bits that both
 * ends know are what ties one to a home; it carries nothing else.
 */
const MAGIC = Uint8Array.of(0x47, 0x57, 0x77, 0x6b);
const BYTES = 23;
const KINDS = ['refresh', 'probe', 'open'] as const;

export interface WalkPacket {
  /** 32 digits of hexadecimal. */
  readonly session: string;
  readonly flow: number;
  readonly kind: (typeof KINDS)[number];
}

export function encodeWalk({ session, flow, kind }: WalkPacket): Uint8Array {
  const id = Uint8Array.from(session.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  return concat(MAGIC, id, Uint8Array.of(flow >> 8, flow & 255, KINDS.indexOf(kind)));
}

/** Never throws; `undefined` for anything else. */
export function parseWalk(bytes: Uint8Array): WalkPacket | undefined {
  if (bytes.length !== BYTES || MAGIC.some((byte, index) => bytes[index] !== byte)) return undefined;
  const kind = KINDS[bytes[22] ?? KINDS.length];
  if (kind === undefined) return undefined;
  const session = Array.from(bytes.subarray(4, 20), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { session, flow: ((bytes[20] ?? 0) << 8) | (bytes[21] ?? 0), kind };
}
