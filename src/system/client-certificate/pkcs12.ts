import { createHash, randomInt } from 'node:crypto';
import forge from 'node-forge';
import type { ClientCertificate } from './authority.ts';
import { binary, bmp, bytesOf, integer, nothing, octets, oid, parsed, sequence, set, tagged } from './der.ts';

type Node = forge.asn1.Asn1;

const DATA = '1.2.840.113549.1.7.1';
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3';
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';
const FRIENDLY_NAME = '1.2.840.113549.1.9.20';
const LOCAL_KEY_ID = '1.2.840.113549.1.9.21';
const SHA1 = '1.3.14.3.2.26';
/** What Windows and OpenSSL count too. */
const ITERATIONS = 2048;
const SALT_BYTES = 8;

/**
 * A certificate and its key as a PKCS#12 file (RFC 7292), which every system installs. Triple DES and SHA-1 are what iOS and
 * Android read of any age; what protects the key is a password of 59 random bits. The certificate is no secret. node-forge
 * alone would make one of an RSA key only, so its pieces are put together here.
 */
export function pkcs12(name: string, { certificate, key }: ClientCertificate, password: string): Uint8Array {
  const pair = createHash('sha1').update(certificate).digest();
  const attributes = set(
    sequence(oid(FRIENDLY_NAME), set(bmp(name))),
    sequence(oid(LOCAL_KEY_ID), set(octets(binary(pair)))),
  );
  const certificateBag = sequence(
    oid(CERTIFICATE_BAG),
    tagged(0, sequence(oid(X509_CERTIFICATE), tagged(0, octets(binary(certificate))))),
    attributes,
  );
  const plainKey = parsed(key.export({ type: 'pkcs8', format: 'der' }));
  const sealed = forge.pki.encryptPrivateKeyInfo(plainKey, password, {
    algorithm: '3des',
    count: ITERATIONS,
    saltSize: SALT_BYTES,
  });
  const keyBag = sequence(oid(SHROUDED_KEY_BAG), tagged(0, sealed), attributes);
  const safe = sequence(content(sequence(certificateBag)), content(sequence(keyBag)));
  const file = sequence(integer(3), content(safe), macOf(bytesOf(safe), password));
  return Buffer.from(bytesOf(file), 'latin1');
}

/** ContentInfo of type data (RFC 5652 4). */
function content(inner: Node): Node {
  return sequence(oid(DATA), tagged(0, octets(bytesOf(inner))));
}

/** RFC 7292 5.1 and B.4 */
function macOf(safe: string, password: string): Node {
  const salt = forge.random.getBytesSync(SALT_BYTES);
  const key = forge.pkcs12.generateKey(password, forge.util.createBuffer(salt), 3, ITERATIONS, 20);
  const mac = forge.hmac.create();
  mac.start('sha1', key);
  mac.update(safe);
  const digest = sequence(sequence(oid(SHA1), nothing()), octets(mac.getMac().getBytes()));
  return sequence(digest, octets(salt), integer(ITERATIONS));
}

/** Without letters that look like others. */
const LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789';
const LENGTH = 12;

/** To be typed on a phone: 12 of 31 letters are 59 bits. */
export function randomPassword(): string {
  return Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('');
}
