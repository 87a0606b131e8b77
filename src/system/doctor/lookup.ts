import { Resolver } from 'node:dns/promises';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import type { Looked } from '../../doctor/world.ts';

const TIMEOUT_MS = 1000;
const NO_SUCH_NAME = ['ENOTFOUND', 'ENODATA', 'ENONAME'];
const REFUSED = ['EREFUSED', 'ESERVFAIL', 'EFORMERR', 'ENOTIMP', 'EBADRESP'];

/** Asks servers for names and nothing else: neither /etc/hosts nor a cache answers in their place. */
export async function lookUp(
  name: string,
  family: 4 | 6,
  signal: AbortSignal,
  server?: string,
): Promise<Looked> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  if (server !== undefined) resolver.setServers([server]);
  const stop = (): void => resolver.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const addresses = await (family === 4 ? resolver.resolve4(name) : resolver.resolve6(name));
    return { addresses };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    if (signal.aborted) {
      throw new GatewayError(`${name} was not looked up to the end`, { code: 'Aborted', cause: error });
    }
    if (NO_SUCH_NAME.includes(errno)) return { failure: 'no-such-name' };
    return { failure: REFUSED.includes(errno) ? 'refused' : 'silent' };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
