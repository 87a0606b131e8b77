import { addRelay } from '../core/config-edit.ts';
import type { Progress } from '../core/control.ts';
import { GatewayError } from '../core/errors.ts';
import { RelayTunnel } from '../core/relay-carry.ts';
import { type Relay, tunnelKeyName } from '../core/relay.ts';
import { Secret } from '../core/secret.ts';
import { encodeKey } from '../wire/wireguard.ts';
import type { RelaysOptions } from './relays.ts';

/**
 * Another key for our end of the tunnel. The relay takes no other from then on; ours follows in the same breath, and the
 * pass at the end sets the interface. Stopped in between, the tunnel is silent until this is said again.
 */
export async function rotateTunnelKey(
  { name, address, fingerprint, home, tunnel }: Relay,
  { changes, crypto, keys, record, vantages }: RelaysOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<Relay> {
  if (tunnel === undefined) {
    throw new GatewayError(`the relay ${name} carries nothing, so there is no key of a tunnel to it`, {
      code: 'NotSupported',
      retry: 'when-changed',
      hint: 'start it there without --probe-only, remove it here, and join it again',
    });
  }
  const secret = crypto.curve25519Secret();
  const publicKey = encodeKey(crypto.curve25519Public(secret));
  const question = { ask: 'rekey', tunnel: { publicKey } } as const;
  const relay = { name, address, fingerprint, home, tunnel };
  let told = tunnel;
  const exchange = async (): Promise<void> => {
    progress(`telling the relay at ${address} the new key`);
    told = await vantages.ask(relay, question, RelayTunnel, signal);
    await keys.remove(tunnelKeyName(name));
    await keys.put(tunnelKeyName(name), 'curve25519', new Secret(secret));
  };
  await changes.reapply(exchange, progress, signal);
  // Where the relay is, it says by the way.
  if (JSON.stringify(told) !== JSON.stringify(tunnel)) {
    const settings = { address, fingerprint, home, tunnel: told };
    await changes.edit((text) => addRelay(text, name, settings), progress, signal);
  }
  record('relay.rekeyed', `the tunnel to the relay ${name} has another key`, { relay: name });
  return { ...relay, tunnel: told };
}
