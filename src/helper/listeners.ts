import { GatewayError } from '../core/errors.ts';
import type { Listener } from '../core/namespace-operations.ts';
import type { OperationResult } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { inNetns, type Netns, netnsPath } from '../system/netns.ts';
import { run } from '../system/run.ts';
import type { Applied } from '../core/applied.ts';
import { readApplied } from './applied-file.ts';
import { failureOf } from './failure.ts';
import type { Handler } from './environment.ts';
import { serviceNetns } from './names.ts';
import { numberOf, withNamespace } from './namespace-place.ts';
import { listenersSeenBy, processesByNamespace } from './proc-net.ts';

/** What listens where each service lives: in its namespace, or on the host. */
export const listListeners: Handler<'namespace.listeners'> = async (
  { network, services },
  environment,
  signal,
) => {
  const applied = await readApplied(environment.paths.applied);
  const processes = processesByNamespace();
  const answer: OperationResult<'namespace.listeners'> = { found: [], failed: [] };
  for (const service of services) {
    const place = applied?.services[service]?.place;
    try {
      const listeners = await withPlace(network, service, place, signal, (netns) =>
        listenersIn(netns, processes, signal),
      );
      answer.found.push({ service, listeners });
    } catch (error) {
      answer.failed.push({ service, ...failureOf(error) });
    }
  }
  return answer;
};

function withPlace<Result>(
  network: Network,
  service: string,
  place: Applied['services'][string]['place'] | undefined,
  signal: AbortSignal,
  use: (netns: Netns) => Promise<Result>,
): Promise<Result> {
  if (place === undefined || place.type === 'target') {
    throw new GatewayError(`${service} has no namespace on this machine`, { code: 'ServiceUnknown' });
  }
  if (place.type === 'entered') return withNamespace(place, signal, ({ path }) => use(path));
  return use(place.type === 'host' ? undefined : serviceNetns(network, place.name));
}

/** A namespace in which nobody lives may still have sockets: systemd holds those of a service that it has yet to start. */
async function listenersIn(
  netns: Netns,
  processes: ReadonlyMap<string, readonly string[]>,
  signal: AbortSignal,
): Promise<Listener[]> {
  const number = numberOf(netns === undefined ? '/proc/self/ns/net' : netnsPath(netns));
  const seen = listenersSeenBy(processes.get(number) ?? []);
  if (seen !== undefined) return seen;
  const { stdout } = await run(inNetns(netns, ['ss', '-H', '-l', '-t', '-n']), { signal });
  return parseListeners(stdout);
}

/** `LISTEN 0 128 127.0.0.1%lo:80 0.0.0.0:*`; `*` is both families at once. */
export function parseListeners(text: string): Listener[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(.*):(\d+)$/.exec(line.trim().split(/\s+/)[3] ?? '');
    if (match?.[1] === undefined) return [];
    const address = match[1].replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
    return [{ address: address === '*' ? '::' : address, port: Number(match[2]) }];
  });
}
