import { GatewayError } from '../../src/core/errors.ts';
import { parseIpv4 } from '../../src/core/inet.ts';
import type { Ports } from '../../src/core/ports.ts';

/** A resolver that is down must not hold up everything else. */
const PATIENCE_MS = 2000;

/** What this machine's resolver says of a name; an address is its own. `undefined`: it cannot tell. */
export async function resolveHost(
  host: string,
  { resolve }: Pick<Ports, 'resolve'>,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  if (parseIpv4(host) !== undefined || host.includes(':')) return [host];
  try {
    return await resolve(host, AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]));
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'Aborted' && !signal.aborted) return undefined;
    throw error;
  }
}
