import { formatIpv4, parseIpv4 } from '../core/inet.ts';
import { formatIpv6, parseIpv6 } from '../core/inet6.ts';
import { concat } from './blake2s.ts';

/**
 * STUN binding requests and answers (RFC 8489), with the attributes by which a client finds out how a NAT behaves
 * (RFC 5780). No authentication and no fingerprint: the transaction id, 96 random bits, is what ties an answer to us.
 */
const STUN_HEADER_BYTES = 20;
const MAGIC = 0x2112a442;
const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const BINDING_ERROR = 0x0111;

const ATTRIBUTES = {
  mappedAddress: 0x0001,
  changeRequest: 0x0003,
  xorMappedAddress: 0x0020,
  responseOrigin: 0x802b,
  otherAddress: 0x802c,
} as const;

export interface StunAddress {
  readonly host: string;
  readonly port: number;
}

export interface StunRequest {
  /** 12 bytes. */
  readonly transaction: Uint8Array;
  /** From where the answer is to come: another address, another port. */
  readonly changeAddress: boolean;
  readonly changePort: boolean;
}

export interface StunAnswer {
  readonly transaction: Uint8Array;
  /** Where the request came from, as the server saw it. */
  readonly mapped: StunAddress;
  /** From where this answer was sent, as the server says. */
  readonly origin?: StunAddress | undefined;
  /** The server's second address, with its second port; absent: it has none. */
  readonly other?: StunAddress | undefined;
}

export function renderStunRequest({ transaction, changeAddress, changePort }: StunRequest): Uint8Array {
  const flags = (changeAddress ? 4 : 0) | (changePort ? 2 : 0);
  const change = flags === 0 ? [] : [attribute(ATTRIBUTES.changeRequest, Uint8Array.of(0, 0, 0, flags))];
  return message(BINDING_REQUEST, transaction, change);
}

/** Never throws; `undefined` unless it is a binding request. */
export function parseStunRequest(data: Uint8Array): StunRequest | undefined {
  const parsed = parseMessage(data);
  if (parsed?.type !== BINDING_REQUEST) return undefined;
  const change = parsed.attributes.get(ATTRIBUTES.changeRequest);
  const flags = change?.length === 4 ? (change[3] ?? 0) : 0;
  const { transaction } = parsed;
  return { transaction, changeAddress: (flags & 4) !== 0, changePort: (flags & 2) !== 0 };
}

export function renderStunAnswer({ transaction, mapped, origin, other }: StunAnswer): Uint8Array {
  return message(BINDING_SUCCESS, transaction, [
    attribute(ATTRIBUTES.xorMappedAddress, xor(addressBytes(mapped), transaction)),
    attribute(ATTRIBUTES.mappedAddress, addressBytes(mapped)),
    ...(origin === undefined ? [] : [attribute(ATTRIBUTES.responseOrigin, addressBytes(origin))]),
    ...(other === undefined ? [] : [attribute(ATTRIBUTES.otherAddress, addressBytes(other))]),
  ]);
}

/** Never throws; `undefined` unless it is a binding success with an address. */
export function parseStunAnswer(data: Uint8Array): StunAnswer | undefined {
  const parsed = parseMessage(data);
  if (parsed?.type !== BINDING_SUCCESS) return undefined;
  const { transaction, attributes } = parsed;
  const plain = (type: number): StunAddress | undefined => readAddress(attributes.get(type));
  const xored = attributes.get(ATTRIBUTES.xorMappedAddress);
  // Some servers know the old attribute only; some routers rewrite addresses in it, which is why there is a new one.
  const mapped = readAddress(xored && xor(xored, transaction)) ?? plain(ATTRIBUTES.mappedAddress);
  if (mapped === undefined) return undefined;
  const origin = plain(ATTRIBUTES.responseOrigin);
  return { transaction, mapped, origin, other: plain(ATTRIBUTES.otherAddress) };
}

/** What a server says that cannot answer from elsewhere: 420 with nothing else (RFC 5780 7.1: it must not change). */
export function renderStunError({ transaction }: StunRequest): Uint8Array {
  const reason = new TextEncoder().encode('no other address');
  return message(BINDING_ERROR, transaction, [attribute(0x0009, concat(Uint8Array.of(0, 0, 4, 20), reason))]);
}

function message(type: number, transaction: Uint8Array, attributes: readonly Uint8Array[]): Uint8Array {
  const body = concat(...attributes);
  const header = new DataView(new ArrayBuffer(8));
  header.setUint16(0, type);
  header.setUint16(2, body.length);
  header.setUint32(4, MAGIC);
  return concat(new Uint8Array(header.buffer), transaction, body);
}

function attribute(type: number, value: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(4));
  header.setUint16(0, type);
  header.setUint16(2, value.length);
  return concat(new Uint8Array(header.buffer), value, new Uint8Array(padding(value.length)));
}

function padding(length: number): number {
  return (4 - (length % 4)) % 4;
}

interface Parsed {
  readonly type: number;
  readonly transaction: Uint8Array;
  /** The first of each type counts (RFC 8489 14). */
  readonly attributes: ReadonlyMap<number, Uint8Array>;
}

function parseMessage(data: Uint8Array): Parsed | undefined {
  if (data.length < STUN_HEADER_BYTES) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const length = view.getUint16(2);
  if (view.getUint32(4) !== MAGIC || length % 4 !== 0 || STUN_HEADER_BYTES + length !== data.length) {
    return undefined;
  }
  const attributes = new Map<number, Uint8Array>();
  let offset = STUN_HEADER_BYTES;
  while (offset + 4 <= data.length) {
    const type = view.getUint16(offset);
    const size = view.getUint16(offset + 2);
    const value = data.subarray(offset + 4, offset + 4 + size);
    if (value.length !== size) return undefined;
    if (!attributes.has(type)) attributes.set(type, value);
    offset += 4 + size + padding(size);
  }
  return { type: view.getUint16(0), transaction: data.slice(8, STUN_HEADER_BYTES), attributes };
}

/** Family, port, address (RFC 8489 14.1). */
function addressBytes({ host, port }: StunAddress): Uint8Array {
  const address = bytesOf(host);
  const family = address.length === 4 ? 1 : 2;
  return concat(Uint8Array.of(0, family, port >> 8, port & 255), address);
}

function readAddress(value: Uint8Array | undefined): StunAddress | undefined {
  if (value === undefined) return undefined;
  const [, family] = value;
  const size = family === 1 ? 4 : family === 2 ? 16 : 0;
  const port = ((value[2] ?? 0) << 8) | (value[3] ?? 0);
  if (size === 0 || value.length !== 4 + size || port === 0) return undefined;
  return { host: textOf(value.subarray(4)), port };
}

/** Port with the magic number, address with magic number and transaction (RFC 8489 14.2). Undoes itself. */
function xor(value: Uint8Array, transaction: Uint8Array): Uint8Array {
  const mask = concat(Uint8Array.of(0x21, 0x12, 0xa4, 0x42), transaction);
  return value.map((byte, index) => {
    if (index < 2) return byte;
    return byte ^ (index < 4 ? (mask[index - 2] ?? 0) : (mask[index - 4] ?? 0));
  });
}

function bytesOf(host: string): Uint8Array {
  const ipv4 = parseIpv4(host);
  const view = new DataView(new ArrayBuffer(ipv4 === undefined ? 16 : 4));
  if (ipv4 !== undefined) view.setUint32(0, ipv4);
  else {
    const value = parseIpv6(host);
    if (value === undefined) throw new TypeError(`not an address: ${host}`);
    view.setBigUint64(0, value >> 64n);
    view.setBigUint64(8, value & 0xffff_ffff_ffff_ffffn);
  }
  return new Uint8Array(view.buffer);
}

function textOf(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 4) return formatIpv4(view.getUint32(0));
  return formatIpv6((view.getBigUint64(0) << 64n) | view.getBigUint64(8));
}
