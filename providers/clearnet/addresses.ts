import { GatewayError } from '../../src/core/errors.ts';
import type { Ports } from '../../src/core/ports.ts';
import { isAddress } from '../../src/core/domain.ts';

/** A resolver that is down must not hold up everything else. */
const PATIENCE_MS = 2000;

/** What this machine's resolver says of a name; an address is its own. `undefined`: it cannot tell. */
export async function addressesOf(
  domain: string,
  { resolve }: Pick<Ports, 'resolve'>,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  if (isAddress(domain)) return [domain];
  try {
    return await resolve(domain, AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]));
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'Aborted' && !signal.aborted) return undefined;
    throw error;
  }
}
