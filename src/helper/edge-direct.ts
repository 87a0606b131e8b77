import type { EdgeSpec } from '../core/operations.ts';

/**
 * Whether TLS may end where visitors come in. A look at the first message before costs a quarter of what HAProxy does for
 * a small request (one more socket, and all bytes twice), so it is taken only where somebody needs it: to tell
 * from pages what speaks no HTTP, is for devices, is an address, has no name here but by a relay, or is a challenge by
 * TLS (RFC 8737). Another answer is a reload, so what was once looked at is until HAProxy starts anew.
 */
export function needsLook({ sites }: EdgeSpec, hasAddress: boolean, hasChallenge: boolean): boolean {
  const isPage = ({ mode, access, only }: EdgeSpec['sites'][number]): boolean =>
    mode === 'http' && access === 'anyone' && only === undefined;
  return hasAddress || hasChallenge || !sites.every(isPage);
}
