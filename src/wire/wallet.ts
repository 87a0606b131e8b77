import { formatEndpoint } from '../core/inet.ts';

/**
 * What wallets scan to find a node: never with a certificate, which makes the code three times as large and which wallets
 * do not need over an onion or a tunnel of their own.
 */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** LND's REST interface (github.com/LN-Zap/lndconnect). */
export function lndconnect(place: Place, macaroon: Uint8Array): string {
  return `lndconnect://${formatEndpoint(place)}?macaroon=${base64url(macaroon)}`;
}

/** As Zeus reads it. */
export function clnrestZeus(place: Place, rune: string): string {
  return `clnrest://${formatEndpoint(place)}?rune=${encodeURIComponent(rune)}`;
}

/** As Core Lightning writes it. */
export function clnrestCore(place: Place, rune: string): string {
  return `clnrest+https://${formatEndpoint(place)}?rune=${encodeURIComponent(rune)}`;
}

/** Electrum, Sparrow, BlueWallet: `t` for TCP, `s` for TLS. */
export function electrum(place: Place, isTls: boolean): string {
  return `${formatEndpoint(place)}:${isTls ? 's' : 't'}`;
}

/** A rune is base64url of 32 bytes of authentication and its restrictions as text; `=` may be missing. */
export function isRune(text: string): boolean {
  return /^[A-Za-z0-9_-]{43,4096}={0,2}$/.test(text);
}

function base64url(bytes: Uint8Array): string {
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  return base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}
