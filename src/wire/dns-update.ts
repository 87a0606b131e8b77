import type { TsigAlgorithm } from '../core/dns-config.ts';
import type { RecordSet, RecordType } from '../core/names.ts';
import { parseIpv4 } from '../core/inet.ts';

/**
 * DNS UPDATE (RFC 2136) signed with TSIG (RFC 8945): one message that replaces whole record sets, and the check of its
 * answer. Pure: the MAC is computed by the caller's function.
 */
export interface TsigKey {
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly mac: (data: Uint8Array) => Uint8Array;
}

export interface SignedUpdate {
  readonly id: number;
  readonly message: Uint8Array;
  /** The answer's signature covers it. */
  readonly mac: Uint8Array;
}

export interface UpdateAnswer {
  /** `NOERROR`, `REFUSED` … or the TSIG error `BADSIG`, `BADKEY`, `BADTIME`. */
  readonly code: string;
  /** Signed by the key that we signed with. */
  readonly isAuthentic: boolean;
}

const TYPE_NUMBERS: Readonly<Record<RecordType, number>> = { A: 1, AAAA: 28, TXT: 16 };
const SOA = 6;
const TSIG = 250;
const IN = 1;
const ANY = 255;
const UPDATE = 5 << 11;
const FUDGE_SECONDS = 300;
const HEADER_BYTES = 12;

const RCODES: Readonly<Record<number, string>> = {
  0: 'NOERROR',
  1: 'FORMERR',
  2: 'SERVFAIL',
  3: 'NXDOMAIN',
  4: 'NOTIMP',
  5: 'REFUSED',
  6: 'YXDOMAIN',
  7: 'YXRRSET',
  8: 'NXRRSET',
  9: 'NOTAUTH',
  10: 'NOTZONE',
  16: 'BADSIG',
  17: 'BADKEY',
  18: 'BADTIME',
};

export function encodeUpdate(
  request: { readonly id: number; readonly zone: string; readonly sets: readonly RecordSet[] },
  key: TsigKey,
  nowSeconds: number,
): SignedUpdate {
  const { id, zone, sets } = request;
  const records = sets.flatMap(updatesOf);
  const unsigned = (additional: number): Uint8Array =>
    join([
      ...[id, UPDATE, 1, 0, records.length, additional].map(u16),
      encodeName(zone),
      u16(SOA),
      u16(IN),
      ...records,
    ]);
  const signed = { seconds: nowSeconds, fudge: FUDGE_SECONDS, error: 0, other: new Uint8Array() };
  const variables = tsigVariables(key, signed);
  const mac = key.mac(join([unsigned(0), variables]));
  const data = join([
    encodeName(key.algorithm),
    u48(nowSeconds),
    u16(FUDGE_SECONDS),
    u16(mac.length),
    mac,
    u16(id),
    u16(0),
    u16(0),
  ]);
  const tsig = join([encodeName(key.name), u16(TSIG), u16(ANY), u32(0), u16(data.length), data]);
  return { id, message: join([unsigned(1), tsig]), mac };
}

/** The set is deleted (class ANY, RFC 2136 2.5.2), then its records are added. */
function updatesOf({ name, type, ttlSeconds, values }: RecordSet): Uint8Array[] {
  const owner = encodeName(name);
  const number = u16(TYPE_NUMBERS[type]);
  const remove = join([owner, number, u16(ANY), u32(0), u16(0)]);
  const add = values.map((value) => {
    const data = encodeData(type, value);
    return join([owner, number, u16(IN), u32(ttlSeconds), u16(data.length), data]);
  });
  return [remove, ...add];
}

function encodeData(type: RecordType, value: string): Uint8Array {
  if (type === 'TXT') return encodeText(value);
  return type === 'A' ? u32(parseIpv4(value) ?? 0) : encodeIpv6(value);
}

/** Strings of at most 255 bytes, one after the other (RFC 1035 3.3.14). */
function encodeText(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  const parts: Uint8Array[] = [];
  for (let start = 0; start === 0 || start < bytes.length; start += 255) {
    const part = bytes.subarray(start, start + 255);
    parts.push(Uint8Array.of(part.length), part);
  }
  return join(parts);
}

function encodeIpv6(value: string): Uint8Array {
  const [before = '', after] = value.split('::');
  const groups = (half: string | undefined): string[] =>
    half === undefined || half === '' ? [] : half.split(':');
  const left = groups(before);
  const right = groups(after);
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return join([...left, ...zeros, ...right].map((group) => u16(Number.parseInt(group, 16))));
}

/** Canonical wire form: lower case, uncompressed (RFC 8945 4.3.2). */
function encodeName(name: string): Uint8Array {
  const labels = name === '' ? [] : name.toLowerCase().split('.');
  const encoder = new TextEncoder();
  const parts = labels.flatMap((label) => [Uint8Array.of(label.length), encoder.encode(label)]);
  return join([...parts, Uint8Array.of(0)]);
}

type TsigTimes = Pick<FoundTsig, 'seconds' | 'fudge' | 'error' | 'other'>;

function tsigVariables(key: TsigKey, { seconds, fudge, error, other }: TsigTimes): Uint8Array {
  return join([
    encodeName(key.name),
    u16(ANY),
    u32(0),
    encodeName(key.algorithm),
    u48(seconds),
    u16(fudge),
    u16(error),
    u16(other.length),
    other,
  ]);
}

/** `undefined` when the bytes are no answer to this update. Never throws. */
export function decodeAnswer(
  bytes: Uint8Array,
  update: SignedUpdate,
  key: TsigKey,
): UpdateAnswer | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES || view.getUint16(0) !== update.id) return undefined;
  if (view.getUint16(2) >>> 11 !== (0x8000 | UPDATE) >>> 11) return undefined;
  const rcode = view.getUint16(2) & 15;
  const tsig = findTsig(bytes, view);
  const error = tsig?.error ?? 0;
  const code = RCODES[error === 0 ? rcode : error] ?? `RCODE${rcode}`;
  return { code, isAuthentic: tsig !== undefined && isSigned(bytes, tsig, update, key) };
}

interface FoundTsig {
  /** Where the record begins. */
  readonly start: number;
  readonly seconds: number;
  readonly fudge: number;
  readonly mac: Uint8Array;
  readonly error: number;
  readonly other: Uint8Array;
}

function isSigned(bytes: Uint8Array, tsig: FoundTsig, update: SignedUpdate, key: TsigKey): boolean {
  const message = Uint8Array.from(bytes.subarray(0, tsig.start));
  const view = new DataView(message.buffer);
  view.setUint16(10, view.getUint16(10) - 1);
  const expected = key.mac(join([u16(update.mac.length), update.mac, message, tsigVariables(key, tsig)]));
  if (expected.length !== tsig.mac.length) return false;
  return expected.reduce((difference, byte, index) => difference | (byte ^ (tsig.mac[index] ?? 0)), 0) === 0;
}

/** It must be the last record (RFC 8945 5.1). */
function findTsig(bytes: Uint8Array, view: DataView): FoundTsig | undefined {
  const counts = [4, 6, 8, 10].map((offset) => view.getUint16(offset));
  const [questions = 0, ...sections] = counts;
  let at: number | undefined = HEADER_BYTES;
  for (let index = 0; index < questions && at !== undefined; index++) {
    at = skipName(bytes, at);
    if (at !== undefined) at += 4;
  }
  const records = sections.reduce((sum, count) => sum + count, 0);
  for (let index = 0; index < records && at !== undefined; index++) {
    const start: number = at;
    const head = skipName(bytes, at);
    if (head === undefined || head + 10 > bytes.length) return undefined;
    const end: number = head + 10 + view.getUint16(head + 8);
    if (end > bytes.length) return undefined;
    if (index === records - 1 && view.getUint16(head) === TSIG) return readTsig(bytes, start, head + 10, end);
    at = end;
  }
  return undefined;
}

function readTsig(bytes: Uint8Array, start: number, from: number, end: number): FoundTsig | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = skipName(bytes, from);
  if (at === undefined || at + 10 > end) return undefined;
  const macEnd = at + 10 + view.getUint16(at + 8);
  if (macEnd + 6 > end) return undefined;
  const otherEnd = macEnd + 6 + view.getUint16(macEnd + 4);
  if (otherEnd !== end) return undefined;
  return {
    start,
    seconds: view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2),
    fudge: view.getUint16(at + 6),
    mac: bytes.subarray(at + 10, macEnd),
    error: view.getUint16(macEnd + 2),
    other: bytes.subarray(macEnd + 6, otherEnd),
  };
}

/** Where it ends; a pointer ends it too (RFC 1035 4.1.4) and is not followed. */
function skipName(bytes: Uint8Array, from: number): number | undefined {
  let at = from;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2 <= bytes.length ? at + 2 : undefined;
    if (length > 63) return undefined;
    at += length + 1;
  }
}

function u16(value: number): Uint8Array {
  return Uint8Array.of((value >>> 8) & 255, value & 255);
}

function u32(value: number): Uint8Array {
  return join([u16(Math.floor(value / 65_536)), u16(value)]);
}

function u48(value: number): Uint8Array {
  return join([u16(Math.floor(value / 2 ** 32)), u32(value % 2 ** 32)]);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
