import { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import { run } from './run.ts';

const Routes = z.array(z.object({ dst: z.string() }));

/** IPv4 destinations of the host's routes; needs no privileges. The default route is left out. */
export async function hostRoutes(signal: AbortSignal): Promise<string[]> {
  const { stdout } = await run(['ip', '-j', '-4', 'route', 'show', 'table', 'all'], { signal });
  const parsed = Routes.safeParse(JSON.parse(stdout === '' ? '[]' : stdout));
  if (!parsed.success) {
    throw new GatewayError('ip printed routes in a form that is not known here', {
      code: 'CommandFailed',
      cause: parsed.error,
    });
  }
  return parsed.data.map((route) => route.dst).filter((dst) => dst !== 'default');
}
