import type { Context, Observed } from '../../core/contract.ts';
import type { OperationResult } from '../../core/operations.ts';
import { EDGE_KEY, type Spec } from './compile.ts';

type Seen = OperationResult<'edge.observe'>;

/** Equals nothing that is ever wanted: a configuration that is not as we would write it. */
const UNKNOWN: Spec = { devices: '', routes: [] };

export async function observe({ ports, signal }: Context): Promise<Observed<Spec>[]> {
  const seen = await ports.helper.call('edge.observe', {}, signal);
  if (seen.configHash === undefined && !seen.running && seen.trouble === undefined) return [];
  const renew = renewalOf(seen);
  return [
    {
      key: EDGE_KEY,
      spec: seen.edge ?? UNKNOWN,
      facts: {
        running: seen.running,
        ...(seen.trouble === undefined ? {} : { trouble: seen.trouble }),
        ...(seen.connections === undefined ? {} : { connections: seen.connections }),
      },
      ...(renew === undefined ? {} : { renew }),
    },
  ];
}

function renewalOf(seen: Seen): string | undefined {
  if (!seen.running) return seen.trouble === undefined ? 'HAProxy is not running' : 'HAProxy does not answer';
  if (seen.loadedHash !== seen.configHash) return 'HAProxy has not loaded its configuration';
  const [left] = seen.left;
  return left === undefined ? undefined : `${left.service} was left out: ${left.reason}`;
}
