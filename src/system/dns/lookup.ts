import { Resolver } from 'node:dns/promises';
import type { CaaRecord } from '../../core/caa.ts';
import { errnoOf, GatewayError } from '../../core/errors.ts';

const TIMEOUT_MS = 3000;
const MAX_LABELS = 20;

/** There is no such name, or it has no record of this kind. */
const NONE = ['ENODATA', 'ENOTFOUND', 'ENONAME'];

/** `[]`: there are none; `undefined`: it could not be told. */
async function ask<Found>(
  question: (resolver: Resolver) => Promise<Found[]>,
  signal: AbortSignal,
  servers?: readonly string[],
): Promise<Found[] | undefined> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  if (servers !== undefined) resolver.setServers([...servers]);
  const stop = (): void => resolver.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await question(resolver);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    if (signal.aborted)
      throw new GatewayError('a look at DNS was cancelled', { code: 'Aborted', retry: 'never' });
    return NONE.includes(errno) ? [] : undefined;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Records of the name, or of the nearest one above that has any (RFC 8659 3); `undefined` when it cannot be told. */
export async function findCaa(name: string, signal: AbortSignal): Promise<CaaRecord[] | undefined> {
  const labels = name.split('.').slice(-MAX_LABELS);
  for (let index = 0; index < labels.length; index++) {
    const found = await ask((resolver) => resolver.resolveCaa(labels.slice(index).join('.')), signal);
    if (found === undefined) return undefined;
    if (found.length > 0) return found.flatMap(recordsOf);
  }
  return [];
}

function recordsOf({
  issue,
  issuewild,
}: {
  issue?: string | undefined;
  issuewild?: string | undefined;
}): CaaRecord[] {
  return [
    ...(issue === undefined ? [] : [{ tag: 'issue' as const, value: issue }]),
    ...(issuewild === undefined ? [] : [{ tag: 'issuewild' as const, value: issuewild }]),
  ];
}

/** Addresses of a name, both families; `undefined` when it cannot be told. */
export async function findAddresses(name: string, signal: AbortSignal): Promise<string[] | undefined> {
  const [four, six] = await Promise.all([
    ask((resolver) => resolver.resolve4(name), signal),
    ask((resolver) => resolver.resolve6(name), signal),
  ]);
  if (four === undefined && six === undefined) return undefined;
  return [...(four ?? []), ...(six ?? [])];
}

/** Does every server of the zone show this TXT record? `undefined` when they cannot be found. */
export async function everyServerShows(
  record: { readonly zone: string; readonly name: string; readonly value: string },
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const { zone, name, value } = record;
  const servers = await ask((resolver) => resolver.resolveNs(zone), signal);
  if (servers === undefined || servers.length === 0) return undefined;
  const addresses = await Promise.all(
    servers.slice(0, 6).map((server) => ask((resolver) => resolver.resolve4(server), signal)),
  );
  const known = addresses.flatMap((found) => found?.[0] ?? []);
  const shown = await Promise.all(
    known.map(async (server) => {
      const found = await ask((resolver) => resolver.resolveTxt(name), signal, [server]);
      return found?.some((strings) => strings.join('') === value) === true;
    }),
  );
  return shown.length === 0 ? undefined : shown.every((is) => is);
}
