import { constants, verify, X509Certificate, type VerifyKeyObjectInput } from 'node:crypto';
import type { TlsSignature } from '../core/ports.ts';

/** SignatureScheme of TLS (RFC 8446 4.2.3): hash, kind of key, padding. */
const SCHEMES: Readonly<
  Record<number, { readonly hash: string; readonly key: 'ec' | 'rsa'; readonly isPss?: true }>
> = {
  0x0403: { hash: 'sha256', key: 'ec' },
  0x0503: { hash: 'sha384', key: 'ec' },
  0x0804: { hash: 'sha256', key: 'rsa', isPss: true },
  0x0805: { hash: 'sha384', key: 'rsa', isPss: true },
  0x0806: { hash: 'sha512', key: 'rsa', isPss: true },
  0x0401: { hash: 'sha256', key: 'rsa' },
  0x0501: { hash: 'sha384', key: 'rsa' },
  0x0601: { hash: 'sha512', key: 'rsa' },
};

/** Everything here may come from somebody hostile: bytes that are no certificate are not signed. */
export function isSignedBy(certificate: Uint8Array, { scheme, signed, signature }: TlsSignature): boolean {
  const how = SCHEMES[scheme];
  const key = publicKeyOf(certificate);
  if (how === undefined || key === undefined || key.asymmetricKeyType !== how.key) return false;
  const padding: Omit<VerifyKeyObjectInput, 'key'> =
    how.isPss === true
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : {};
  return verify(how.hash, signed, { key, ...padding }, signature);
}

function publicKeyOf(certificate: Uint8Array): X509Certificate['publicKey'] | undefined {
  try {
    return new X509Certificate(certificate).publicKey;
  } catch {
    // OpenSSL's many words for "this is no certificate"; none of them says more to us.
    return undefined;
  }
}
