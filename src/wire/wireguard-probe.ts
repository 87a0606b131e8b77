import { blake2s, concat } from './blake2s.ts';
import { decodeKey, encodeKey, type DumpedPeer } from './wireguard.ts';

/**
 * Preshared key of the peer that a gateway proves its own interface with. It marks that peer: known to whoever knows the
 * interface's public key, and never one of a device, whose are random. The secret of such a proof is the peer's private key.
 */
export function probePresharedKey(interfacePublicKey: Uint8Array): Uint8Array {
  return blake2s(concat(new TextEncoder().encode('gateway probe'), interfacePublicKey));
}

/** Is it that peer? */
export function isProbe(
  { presharedKey }: Pick<DumpedPeer, 'presharedKey'>,
  interfacePublicKey: string,
): boolean {
  const publicKey = decodeKey(interfacePublicKey);
  return publicKey !== undefined && presharedKey === encodeKey(probePresharedKey(publicKey));
}
