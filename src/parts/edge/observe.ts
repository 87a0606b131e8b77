import type { Context, Observed } from '../../core/contract.ts';
import type { OperationResult } from '../../core/operations.ts';
import { EDGE_KEY, type Spec } from './compile.ts';

type Seen = OperationResult<'edge.observe'>;

/** Equals nothing that is ever wanted: a configuration that is not as we would write it. */
const UNKNOWN: Spec = { type: 'edge', devices: '', source: '', pool: '', routes: [], sites: [] };

export async function observe({ ports, signal }: Context): Promise<Observed<Spec>[]> {
  const seen = await ports.helper.call('edge.observe', {}, signal);
  const clients = seen.clients.map(clientSeen);
  if (seen.configHash === undefined && !seen.running && seen.trouble === undefined) return clients;
  const renew = renewalOf(seen);
  const edge: Observed<Spec> = {
    key: EDGE_KEY,
    spec: seen.edge === undefined ? UNKNOWN : { type: 'edge', ...seen.edge },
    facts: {
      running: seen.running,
      ...(seen.trouble === undefined ? {} : { trouble: seen.trouble }),
      ...(seen.connections === undefined ? {} : { connections: seen.connections }),
      ...seen.listen,
      ...takenFacts(seen),
    },
    ...(renew === undefined ? {} : { renew }),
  };
  const routes = (seen.edge?.routes ?? []).map(({ service }) => routeSeen(service, seen.left));
  return [edge, ...routes, ...clients];
}

function clientSeen(client: Seen['clients'][number]): Observed<Spec> {
  return { key: `client:${client.name}`, spec: { type: 'client', ...client }, facts: {} };
}

/** Told in the status: who forwards by hand must forward to another port. */
function takenFacts({ taken, listen, shut = [] }: Seen): Record<string, string> {
  const [first] = shut;
  if (first !== undefined) return { notice: `visitors cannot come by a relay: ${first.why}` };
  if (taken.length === 0 || listen === undefined) return {};
  const instead = `visitors of web names are taken at ${listen.https} (https) and ${listen.http} (http) instead`;
  const words = `${taken.join('; ')}; ${instead}, where the router must lead 443 and 80`;
  return { taken: taken.join('; '), notice: words };
}

function routeSeen(service: string, left: Seen['left']): Observed<Spec> {
  const found = left.find((route) => route.service === service);
  const renew = found === undefined ? {} : { renew: `it was left out: ${found.reason}` };
  return { key: `route:${service}`, spec: { type: 'route', service }, facts: {}, ...renew };
}

function renewalOf(seen: Seen): string | undefined {
  if (!seen.running) return seen.trouble === undefined ? 'HAProxy is not running' : 'HAProxy does not answer';
  return seen.loadedHash === seen.configHash ? seen.renew : 'HAProxy has not loaded its configuration';
}
