import { getServers, Resolver } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import type { Looked } from '../../doctor/world.ts';

const TIMEOUT_MS = 1000;
const NO_SUCH_NAME = ['ENOTFOUND', 'ENODATA', 'ENONAME'];
const REFUSED = ['EREFUSED', 'ESERVFAIL', 'EFORMERR', 'ENOTIMP', 'EBADRESP'];

/** A server that refuses at once may be starting; others are given their time by the resolver. */
const AGAIN_MS = 300;

/**
 * Asks servers for names and nothing else: neither /etc/hosts nor a cache answers in their place. One that refuses the
 * connection is asked once more.
 */
export async function lookUp(
  name: string,
  family: 4 | 6,
  signal: AbortSignal,
  server?: string,
): Promise<Looked> {
  const servers = server === undefined ? getServers() : [server];
  const looked = await askServers(name, family, signal, servers);
  if (!('failure' in looked) || looked.why !== 'ECONNREFUSED') return looked;
  await sleep(AGAIN_MS, undefined, { signal });
  return await askServers(name, family, signal, servers);
}

async function askServers(
  name: string,
  family: 4 | 6,
  signal: AbortSignal,
  servers: readonly string[],
): Promise<Looked> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  resolver.setServers(servers);
  const stop = (): void => resolver.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return { addresses: await (family === 4 ? resolver.resolve4(name) : resolver.resolve6(name)) };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    if (signal.aborted) {
      throw new GatewayError(`${name} was not looked up to the end`, { code: 'Aborted', cause: error });
    }
    if (NO_SUCH_NAME.includes(errno)) return { failure: 'no-such-name', why: errno };
    return { failure: REFUSED.includes(errno) ? 'refused' : 'silent', why: errno };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/**
 * Addresses of a name as the servers of its own zone say: no router or filter of this home answers in their place.
 * `undefined`: they could not be found or asked.
 */
export async function lookUpAtSource(name: string, signal: AbortSignal): Promise<Looked | undefined> {
  const labels = name.split('.');
  for (let first = 0; first < labels.length - 1; first += 1) {
    const servers = await serversOf(labels.slice(first).join('.'), signal);
    const [server] = servers;
    if (server === undefined) continue;
    const looked = await lookUp(server, 4, signal);
    const address = 'addresses' in looked ? looked.addresses[0] : undefined;
    return address === undefined ? undefined : await lookUp(name, 4, signal, address);
  }
  return undefined;
}

async function serversOf(zone: string, signal: AbortSignal): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  const stop = (): void => resolver.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await resolver.resolveNs(zone);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return [];
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
