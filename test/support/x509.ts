import { createHash, createPublicKey, randomBytes, sign, type KeyObject } from 'node:crypto';

/** Certificates made byte by byte (RFC 5280), so that a test can make those that no honest authority would. */

export interface CertificateOptions {
  readonly subject: string;
  readonly issuer: string;
  readonly issuerKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly names?: readonly string[];
  readonly isAuthority?: boolean;
}

export function makeCertificate(options: CertificateOptions): string {
  const { subject, issuer, issuerKey, publicKey, notBefore, notAfter } = options;
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const serial = randomBytes(16);
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  const body = sequence(
    tlv(0xa0, integer(Buffer.of(2))),
    integer(serial),
    algorithm,
    name(issuer),
    sequence(time(notBefore), time(notAfter)),
    name(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...extensions(options))),
  );
  const signature = sign('sha256', body, issuerKey);
  return pem(sequence(body, algorithm, bits(signature)));
}

/** The key that a certificate request asks a certificate for. */
export function keyOfRequest(der: Buffer): KeyObject {
  const info = contentOf(contentOf(der));
  const afterVersion = info.subarray(sizeOf(info));
  const afterSubject = afterVersion.subarray(sizeOf(afterVersion));
  const key = afterSubject.subarray(0, sizeOf(afterSubject));
  return createPublicKey({ key, type: 'spki', format: 'der' });
}

function extensions({ names = [], isAuthority = false, publicKey, issuerKey }: CertificateOptions): Buffer[] {
  const own = keyId(publicKey);
  const signer = keyId(createPublicKey(issuerKey));
  const constraints = isAuthority ? sequence(tlv(0x01, Buffer.of(0xff))) : sequence();
  return [
    extension('2.5.29.19', constraints),
    extension('2.5.29.14', tlv(0x04, own)),
    extension('2.5.29.35', sequence(tlv(0x80, signer))),
    ...(names.length === 0 ? [] : [extension('2.5.29.17', sequence(...names.map(alternative)))]),
  ];
}

function alternative(text: string): Buffer {
  const isAddress = /^[0-9.]+$/.test(text);
  return isAddress ? tlv(0x87, Buffer.from(text.split('.').map(Number))) : tlv(0x82, Buffer.from(text));
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), tlv(0x04, value));
}

function keyId(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

function name(common: string): Buffer {
  return sequence(tlv(0x31, sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from(common)))));
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');
  return tlv(0x18, Buffer.from(text));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest.flatMap(base128)];
  return tlv(0x06, Buffer.from(bytes));
}

function base128(value: number): number[] {
  const low = value & 0x7f;
  const digits = [low];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift((rest & 0x7f) | 0x80);
  return digits;
}

function integer(bytes: Buffer): Buffer {
  return tlv(0x02, bytes);
}

function bits(bytes: Buffer): Buffer {
  return tlv(0x03, Buffer.of(0), bytes);
}

function sequence(...parts: Buffer[]): Buffer {
  return tlv(0x30, ...parts);
}

function tlv(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function headOf(der: Buffer): { readonly head: number; readonly length: number } {
  const first = der[1] ?? 0;
  if (first < 0x80) return { head: 2, length: first };
  return { head: 2 + (first & 0x7f), length: der.readUIntBE(2, first & 0x7f) };
}

function sizeOf(der: Buffer): number {
  const { head, length } = headOf(der);
  return head + length;
}

function contentOf(der: Buffer): Buffer {
  const { head, length } = headOf(der);
  return der.subarray(head, head + length);
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
