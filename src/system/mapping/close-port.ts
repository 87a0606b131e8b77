import { GatewayError } from '../../core/errors.ts';
import { portKey } from '../../core/mapper.ts';
import type { Lease } from '../../core/mapping.ts';
import { nameOf, type PortState } from '../../core/mapping-lease.ts';
import type { PortMapperOptions } from './mapper-options.ts';
import type { RouterDrivers } from './router-drivers.ts';

const RELEASE_MS = 5000;

/** Closes a port in the router. One that refuses, or does not answer, is only told of: its lease ends by itself. */
export async function closePort(
  drivers: RouterDrivers,
  { spec }: PortState,
  lease: Lease,
  record: PortMapperOptions['record'],
  signal: AbortSignal,
): Promise<void> {
  const port = portKey(spec);
  try {
    await drivers.unmap(lease, AbortSignal.any([signal, AbortSignal.timeout(RELEASE_MS)]));
    record('mapping.removed', `${nameOf(spec)} was closed in the router ${lease.router}`, { port });
  } catch (error) {
    if (!(error instanceof GatewayError) || signal.aborted) throw error;
    const until =
      lease.lifetimeSeconds === 0 ? 'remove it there by hand' : 'it ends with its lease, within the hour';
    record(
      'mapping.left',
      `${nameOf(spec)} may still be open in the router ${lease.router}: ${error.message}; ${until}`,
      { port },
    );
  }
}
