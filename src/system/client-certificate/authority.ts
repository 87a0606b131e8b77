import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import type forge from 'node-forge';
import { p256Key } from '../p256.ts';
import {
  binary,
  bits,
  bytesOf,
  integer,
  octets,
  oid,
  parsed,
  sequence,
  serial,
  set,
  tagged,
  taggedBytes,
  time,
  utf8,
  yes,
} from './der.ts';

type Node = forge.asn1.Asn1;

const DAY_MS = 86_400_000;
/** Revoking takes a certificate out of HAProxy's list; its dates are there because they must be. */
const YEARS = 20;
const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));

export interface ClientCertificate {
  /** DER */
  readonly certificate: Uint8Array;
  readonly key: KeyObject;
  /** SHA-256 of the certificate, hex. */
  readonly fingerprint: string;
}

/** The certificate of a gateway's own authority for devices, as PEM. Only its own HAProxy has to know it. */
export function authorityCertificate(secret: Uint8Array, nowMs: number): string {
  const key = p256Key(secret);
  const name = authorityName(key);
  const extensions = [
    // CA, of nobody who issues in turn.
    extension('2.5.29.19', sequence(yes(), integer(0)), true),
    // keyCertSign
    extension('2.5.29.15', bits('\x04', 2), true),
    extension('2.5.29.14', octets(binary(keyId(key)))),
  ];
  const der = issue({ key, issuer: name, subject: name, subjectKey: key, extensions, nowMs });
  return `-----BEGIN CERTIFICATE-----\n${wrapped(der)}\n-----END CERTIFICATE-----\n`;
}

/** A key of its own for a device, and a certificate that says nothing but the device's name. */
export function clientCertificate(device: string, secret: Uint8Array, nowMs: number): ClientCertificate {
  const key = p256Key(secret);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const extensions = [
    extension('2.5.29.19', sequence(), true),
    // digitalSignature
    extension('2.5.29.15', bits('\x80', 7), true),
    // clientAuth
    extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.2'))),
    extension('2.5.29.14', octets(binary(keyId(privateKey)))),
    extension('2.5.29.35', sequence(taggedBytes(0, binary(keyId(key))))),
  ];
  const certificate = issue({
    key,
    issuer: authorityName(key),
    subject: nameOf(device),
    subjectKey: privateKey,
    extensions,
    nowMs,
  });
  const fingerprint = createHash('sha256').update(certificate).digest('hex');
  return { certificate, key: privateKey, fingerprint };
}

interface Draft {
  readonly key: KeyObject;
  readonly issuer: Node;
  readonly subject: Node;
  readonly subjectKey: KeyObject;
  readonly extensions: readonly Node[];
  readonly nowMs: number;
}

/** RFC 5280 4.1 */
function issue({ key, issuer, subject, subjectKey, extensions, nowMs }: Draft): Uint8Array {
  const [from, until] = [new Date(nowMs - DAY_MS), new Date(nowMs + YEARS * 365 * DAY_MS)];
  const body = sequence(
    tagged(0, integer(2)),
    serial(randomBytes(15)),
    ECDSA_WITH_SHA256,
    issuer,
    sequence(time(from), time(until)),
    subject,
    parsed(publicDer(subjectKey)),
    tagged(3, sequence(...extensions)),
  );
  const signature = sign('sha256', Buffer.from(bytesOf(body), 'latin1'), key);
  const whole = sequence(body, ECDSA_WITH_SHA256, bits(binary(signature)));
  return Buffer.from(bytesOf(whole), 'latin1');
}

function extension(id: string, value: Node, isCritical = false): Node {
  return sequence(oid(id), ...(isCritical ? [yes()] : []), octets(bytesOf(value)));
}

/** Common name alone. */
function nameOf(text: string): Node {
  return sequence(set(sequence(oid('2.5.4.3'), utf8(text))));
}

/** Says which gateway it is, so that a browser with certificates of two offers the right one. */
function authorityName(key: KeyObject): Node {
  return nameOf(`Gateway ${keyId(key).toString('hex').slice(0, 8)}: devices`);
}

/** RFC 5280 4.2.1.2 (1), with SHA-256 cut to as many bits. */
function keyId(key: KeyObject): Buffer {
  return createHash('sha256').update(publicDer(key)).digest().subarray(0, 20);
}

function publicDer(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

function wrapped(der: Uint8Array): string {
  return (
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g)
      ?.join('\n') ?? ''
  );
}
