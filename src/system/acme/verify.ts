import { createPrivateKey, X509Certificate } from 'node:crypto';
import { baseOf, isIpName } from '../../core/certificate.ts';
import type { Held } from '../../core/certificate-life.ts';
import { messageOf } from '../../core/errors.ts';
import { AuthorityError } from './authority-error.ts';

/** A visitor's clock may be slow; ours too. */
const CLOCK_MS = 5 * 60_000;
const MAX_CHAIN = 10;

/**
 * What is known of a certificate and its key, in one PEM text; throws when a visitor would refuse them: another name,
 * another key, a chain that does not hold, not valid `now` (where that is asked). Whether its root is trusted, only a visitor knows.
 */
export function readCertificate(pem: string, name: string, now: number | undefined): Omit<Held, 'directory'> {
  const chain = chainOf(pem);
  const [leaf] = chain;
  if (leaf === undefined) throw unusable('it holds no certificate');
  checkKey(leaf, pem);
  checkNames(leaf, name);
  for (const [index, one] of chain.entries()) checkLink(one, chain[index + 1], now);
  const ariId = ariIdOf(leaf);
  return {
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
    names: namesOf(leaf),
    issuer: issuerOf(leaf),
    fingerprint: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    ...(ariId === undefined ? {} : { ariId }),
  };
}

function chainOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    return blocks.slice(0, MAX_CHAIN).map((block) => new X509Certificate(block));
  } catch (error) {
    throw unusable('it is not well formed', error);
  }
}

function checkKey(leaf: X509Certificate, pem: string): void {
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/.exec(pem)?.[0];
  if (key === undefined) throw unusable('there is no key with it');
  let isPair: boolean;
  try {
    isPair = leaf.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw unusable(`its key cannot be read: ${messageOf(error)}`, error);
  }
  if (!isPair) throw unusable('it is for another key');
}

function checkNames(leaf: X509Certificate, name: string): void {
  const isFor = isIpName(name)
    ? leaf.checkIP(name) !== undefined
    : // What stands in it must be the wildcard itself: any one name below it would match it.
      namesOf(leaf).includes(name) || (!name.startsWith('*.') && leaf.checkHost(baseOf(name)) !== undefined);
  if (!isFor) throw unusable(`it is for ${namesOf(leaf).join(', ') || 'no name'}, not for ${name}`);
}

function checkLink(one: X509Certificate, next: X509Certificate | undefined, now: number | undefined): void {
  if (now !== undefined && one.validToDate.getTime() <= now) throw unusable(`it ended on ${one.validTo}`);
  if (now !== undefined && one.validFromDate.getTime() > now + CLOCK_MS)
    throw unusable(`it begins on ${one.validFrom}, later than now`);
  if (next === undefined) return;
  if (!one.checkIssued(next) || !one.verify(next.publicKey)) {
    throw unusable('its chain does not hold: it was not signed by the certificate that comes with it');
  }
}

function namesOf({ subjectAltName = '' }: X509Certificate): string[] {
  return subjectAltName
    .split(', ')
    .flatMap((entry) => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1]?.toLowerCase() ?? []);
}

function issuerOf({ issuer }: X509Certificate): string {
  const field = (key: string): string | undefined => new RegExp(`^${key}=(.+)$`, 'm').exec(issuer)?.[1];
  return (field('O') ?? field('CN') ?? issuer).slice(0, 100);
}

/** RFC 9773 4.1: key identifier of who signed it, and serial number as DER writes it, both base64url. */
function ariIdOf(leaf: X509Certificate): string | undefined {
  const keyId = authorityKeyId(leaf.raw);
  if (keyId === undefined) return undefined;
  const hex = leaf.serialNumber.length % 2 === 0 ? leaf.serialNumber : `0${leaf.serialNumber}`;
  const bytes = Buffer.from(hex, 'hex');
  const serial = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
  return `${keyId.toString('base64url')}.${serial.toString('base64url')}`;
}

/** OID 2.5.29.35, then an OCTET STRING with SEQUENCE { [0] keyIdentifier … } (RFC 5280 4.2.1.1). */
function authorityKeyId(der: Buffer): Buffer | undefined {
  const at = der.indexOf(Buffer.of(0x06, 0x03, 0x55, 0x1d, 0x23, 0x04));
  if (at < 0) return undefined;
  const [octets, outer, sequence, , tag, length] = der.subarray(at + 5, at + 11);
  const isPlain = octets === 0x04 && outer !== undefined && outer < 0x80 && sequence === 0x30 && tag === 0x80;
  if (!isPlain || length === undefined || length >= 0x80) return undefined;
  return der.subarray(at + 11, at + 11 + length);
}

function unusable(why: string, cause?: unknown): AuthorityError {
  return new AuthorityError(`the certificate cannot be used: ${why}`, { cause });
}
