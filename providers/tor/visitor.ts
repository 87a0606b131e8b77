import type { Context } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { Ports } from '../../src/core/ports.ts';
import type { TorInstance } from '../../src/core/tor-instance.ts';
import { encodeBase32 } from '../../src/wire/onion.ts';

/**
 * The gateway's own key for onions that ask for one: it visits them as their devices do, and is never counted as one.
 * While nobody was added yet it is the only key, without which tor would let everybody in.
 */
const VISITOR_KEY = 'onion-visitor/gateway';

/** Public key for `authorized_clients/`. `undefined` when it cannot be read: then the one that is there stays. */
export async function ensureVisitor({ keys, crypto, log }: Ports): Promise<string | undefined> {
  try {
    const secret = await keys.ensure(VISITOR_KEY, 'curve25519');
    return encodeBase32(crypto.curve25519Public(secret.reveal())).toUpperCase();
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    log('warn', 'onion services that ask for a key cannot be visited', { error: error.message });
    return undefined;
  }
}

/** Gives our tor the key for one onion; until it ends. Rejects when that cannot be. */
export async function introduce(
  hostname: string,
  instance: TorInstance,
  { ports, signal }: Context,
): Promise<void> {
  const secret = await ports.keys.read(VISITOR_KEY, 'curve25519');
  if (secret === undefined) {
    throw new GatewayError("the gateway's own key for onion services that ask for one is not there", {
      code: 'KeyMissing',
    });
  }
  const key = btoa(String.fromCharCode(...secret.reveal()));
  const address = hostname.replace(/\.onion$/, '');
  await ports.tor[instance].command(`ONION_CLIENT_AUTH_ADD ${address} x25519:${key}`, signal);
}
