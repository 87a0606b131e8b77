import { access } from 'node:fs/promises';
import { z } from 'zod';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { fileError } from './files.ts';
import type { Family } from './netns.ts';
import { run } from './run.ts';

const Routes = z.array(z.object({ dst: z.string() }));

/** Destinations of the host's routes; needs no privileges. The default route is left out. */
export async function hostRoutes(signal: AbortSignal, family: Family): Promise<string[]> {
  const { stdout } = await run(['ip', '-j', family, 'route', 'show', 'table', 'all'], { signal });
  const parsed = Routes.safeParse(JSON.parse(stdout === '' ? '[]' : stdout));
  if (!parsed.success) {
    throw new GatewayError('ip printed routes in a form that is not known here', {
      code: 'CommandFailed',
      cause: parsed.error,
    });
  }
  return parsed.data.map((route) => route.dst).filter((dst) => dst !== 'default');
}

/** Can this kernel speak IPv6 at all? Not with `ipv6.disable=1`; a setting that takes it off some interfaces is no matter. */
export async function hasIpv6(): Promise<boolean> {
  try {
    await access('/proc/self/net/if_inet6');
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw fileError('/proc/self/net/if_inet6 could not be examined', error);
  }
}
