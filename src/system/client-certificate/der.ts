import forge from 'node-forge';

const { asn1 } = forge;
type Node = forge.asn1.Asn1;

/** Pieces of DER (X.690), as few as certificates and PKCS#12 need. Text is one byte a character, as forge has it. */
export const sequence = (...items: readonly Node[]): Node => constructed(asn1.Type.SEQUENCE, items);
export const set = (...items: readonly Node[]): Node => constructed(asn1.Type.SET, items);
export const oid = (dotted: string): Node => plain(asn1.Type.OID, asn1.oidToDer(dotted).getBytes());
export const octets = (bytes: string): Node => plain(asn1.Type.OCTETSTRING, bytes);
export const integer = (value: number): Node => plain(asn1.Type.INTEGER, asn1.integerToDer(value).getBytes());
export const utf8 = (text: string): Node => plain(asn1.Type.UTF8, forge.util.encodeUtf8(text));
/** forge writes two bytes for each letter by itself. */
export const bmp = (text: string): Node => plain(asn1.Type.BMPSTRING, text);
export const yes = (): Node => plain(asn1.Type.BOOLEAN, '\xff');
export const nothing = (): Node => plain(asn1.Type.NULL, '');
/** `unused`: bits of the last byte that do not count. */
export const bits = (bytes: string, unused = 0): Node =>
  plain(asn1.Type.BITSTRING, `${String.fromCharCode(unused)}${bytes}`);
/** A number that is positive whatever its first bit. */
export const serial = (bytes: Uint8Array): Node => plain(asn1.Type.INTEGER, `\x01${binary(bytes)}`);
/** RFC 5280 4.1.2.5: two digits of the year until 2049. */
export const time = (at: Date): Node =>
  at.getUTCFullYear() < 2050
    ? plain(asn1.Type.UTCTIME, asn1.dateToUtcTime(at))
    : plain(asn1.Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(at));

/** `[number]`, explicit. */
export function tagged(number: number, ...items: readonly Node[]): Node {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, number, true, [...items]);
}

/** `[number]`, implicit, of bytes. */
export function taggedBytes(number: number, bytes: string): Node {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, number, false, bytes);
}

export function parsed(der: Uint8Array): Node {
  return asn1.fromDer(binary(der));
}

export function bytesOf(node: Node): string {
  return asn1.toDer(node).getBytes();
}

export function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function constructed(type: forge.asn1.Type, items: readonly Node[]): Node {
  return asn1.create(asn1.Class.UNIVERSAL, type, true, [...items]);
}

function plain(type: forge.asn1.Type, bytes: string): Node {
  return asn1.create(asn1.Class.UNIVERSAL, type, false, bytes);
}
