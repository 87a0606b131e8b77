import type { OnionImport, OnionImported } from '../core/control.ts';
import { GatewayError } from '../core/errors.ts';
import { onionKeyName } from '../core/name.ts';
import type { Ports } from '../core/ports.ts';
import { Secret } from '../core/secret.ts';
import { onionAddress } from '../wire/onion.ts';
import type { Recorder } from './journal.ts';

/**
 * Stores the key of an onion service that another tor served until now, for a service that has none yet. What is there
 * already stays: it is an address that somebody may know.
 */
export async function importOnionKey(
  { keys, crypto }: Pick<Ports, 'keys' | 'crypto'>,
  record: Recorder,
  service: string,
  { secretKey, hostname }: OnionImport,
): Promise<OnionImported> {
  const secret = new Secret(Uint8Array.from(Buffer.from(secretKey, 'base64')));
  const addressOf = (key: Secret<Uint8Array>): string =>
    `${onionAddress(crypto.ed25519Public(key.reveal()), crypto.sha3_256)}.onion`;
  if (secret.reveal().length !== 64 || addressOf(secret) !== hostname) {
    throw new GatewayError(`the key that was sent does not give the address ${hostname}`, {
      code: 'KeyCorrupt',
      retry: 'never',
      hint: 'nothing was imported; take the files from a backup',
    });
  }
  const found = await keys.read(onionKeyName(service), 'ed25519-expanded');
  if (found !== undefined && addressOf(found) !== hostname) throw taken(service, addressOf(found));
  await keys.put(onionKeyName(service), 'ed25519-expanded', secret);
  if (found === undefined) record('key.imported', `the onion key of ${service} was imported: ${hostname}`);
  return { service, hostname };
}

function taken(service: string, address: string): GatewayError {
  return new GatewayError(`${service} has an onion key already: ${address}; a key is never overwritten`, {
    code: 'AlreadyExists',
    retry: 'never',
    hint: `both addresses can lead to it: import into a service of another name, with the same target or place`,
  });
}
