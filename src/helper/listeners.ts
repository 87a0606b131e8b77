import { GatewayError } from '../core/errors.ts';
import { inNetns, type Netns } from '../system/netns.ts';
import { run } from '../system/run.ts';
import { readApplied } from './applied-file.ts';
import type { Handler } from './environment.ts';
import { serviceNetns } from './names.ts';
import { withNamespace } from './namespace-place.ts';

/** What listens where the service lives: in its namespace, or on the host. */
export const listListeners: Handler<'namespace.listeners'> = async (
  { network, service },
  environment,
  signal,
) => {
  const place = (await readApplied(environment.paths.applied))?.services[service]?.place;
  if (place === undefined || place.type === 'target') {
    throw new GatewayError(`${service} has no namespace on this machine`, { code: 'ServiceUnknown' });
  }
  if (place.type === 'entered') {
    const listeners = await withNamespace(place, signal, ({ path }) => listenersIn(path, signal));
    return { listeners };
  }
  const netns = place.type === 'host' ? undefined : serviceNetns(network, place.name);
  return { listeners: await listenersIn(netns, signal) };
};

async function listenersIn(netns: Netns, signal: AbortSignal): Promise<{ address: string; port: number }[]> {
  const { stdout } = await run(inNetns(netns, ['ss', '-H', '-l', '-t', '-n']), { signal });
  return parseListeners(stdout);
}

/** `LISTEN 0 128 127.0.0.1%lo:80 0.0.0.0:*`; `*` is both families at once. */
export function parseListeners(text: string): { address: string; port: number }[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(.*):(\d+)$/.exec(line.trim().split(/\s+/)[3] ?? '');
    if (match?.[1] === undefined) return [];
    const address = match[1].replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
    return [{ address: address === '*' ? '::' : address, port: Number(match[2]) }];
  });
}
