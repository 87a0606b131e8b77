import { formatEndpoint, parseEndpoint } from '../core/inet.ts';

/** What a relay hands to whoever may join it: once, for a while, for a person to copy or scan. */
export interface Invite {
  /** `host:port` */
  readonly address: string;
  /** SHA-256 of the relay's certificate, base64url: nothing but that relay is told the secret. */
  readonly fingerprint: string;
  /** 32 random bytes, base64url. */
  readonly secret: string;
}

const SCHEME = 'gateway-relay';
/** 32 bytes in base64url; the last character carries four bits. */
const BYTES_32 = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

export function is32Bytes(text: string): boolean {
  return BYTES_32.test(text);
}

/** `gateway-relay://11.1.0.2:7443/<fingerprint>/<secret>` */
export function renderInvite({ address, fingerprint, secret }: Invite): string {
  return `${SCHEME}://${address}/${fingerprint}/${secret}`;
}

/** `undefined` for everything that `renderInvite` does not write. */
export function parseInvite(text: string): Invite | undefined {
  const match = /^gateway-relay:\/\/([^/]{3,270})\/([^/]{43})\/([^/]{43})$/.exec(text.trim());
  const [, address = '', fingerprint = '', secret = ''] = match ?? [];
  const endpoint = parseEndpoint(address);
  if (endpoint === undefined || !is32Bytes(fingerprint) || !is32Bytes(secret)) return undefined;
  return { address: formatEndpoint(endpoint), fingerprint, secret };
}
