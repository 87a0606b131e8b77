import { createHash, generateKeyPair, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import forge from 'node-forge';
import { GatewayError, messageOf } from '../core/errors.ts';
import { readFileIfExists, writeFileAtomic } from '../system/files.ts';

/** Key and certificate of a relay, as PEM; homes know it by the fingerprint alone. */
export interface Identity {
  readonly pem: string;
  /** SHA-256 of the certificate, base64url. */
  readonly fingerprint: string;
}

const FILE = 'identity.pem';
const KEY_BITS = 3072;
const YEARS = 30;

/** One file, so that a key never stands without its certificate. A damaged one is an error, never replaced. */
export async function ensureIdentity(directory: string): Promise<Identity> {
  const path = join(directory, FILE);
  const found = await readFileIfExists(path);
  if (found !== undefined) return readIdentity(found.toString(), path);
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: KEY_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const pem = `${privateKey}${certificateFor(privateKey)}`;
  await writeFileAtomic(path, pem, { mode: 0o600 });
  return readIdentity(pem, path);
}

/** Self-signed, and says nothing of who it belongs to. Dates are not looked at: the fingerprint is all that counts. */
function certificateFor(privateKeyPem: string): string {
  const key = forge.pki.privateKeyFromPem(privateKeyPem);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
  certificate.serialNumber = '01';
  certificate.validity.notBefore = new Date(Date.now() - 86_400_000);
  certificate.validity.notAfter = new Date(Date.now() + YEARS * 365 * 86_400_000);
  const name = [{ name: 'commonName', value: 'gateway relay' }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.sign(key, forge.md.sha256.create());
  return forge.pki.certificateToPem(certificate).replaceAll('\r', '');
}

function readIdentity(pem: string, path: string): Identity {
  try {
    const { raw } = new X509Certificate(pem);
    return { pem, fingerprint: createHash('sha256').update(raw).digest('base64url') };
  } catch (cause) {
    throw new GatewayError(`the relay's key is damaged: ${path}: ${messageOf(cause)}`, {
      code: 'KeyCorrupt',
      retry: 'when-changed',
      hint: `put ${path} back from a backup; without one, remove it, and let each home join again`,
      cause,
    });
  }
}
