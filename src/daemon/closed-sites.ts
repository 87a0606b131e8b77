import { z } from 'zod';
import type { Progress } from '../core/control.ts';
import type { Desired } from '../core/desired.ts';
import { EdgeSite } from '../core/operations.ts';
import type { Helper } from '../core/ports.ts';

/** How the spec of a part says which services have a web name. */
const SpecOfSites = z.looseObject({ type: z.literal('edge'), sites: z.array(EdgeSite) });

/** Services that had a web name and have none any more. What visitors have open there only drains. */
export function closedSites(before: Desired, after: Desired): string[] {
  const open = new Set(servicesOf(after));
  return [...new Set(servicesOf(before))].filter((service) => !open.has(service));
}

/** Ends it, wherever the service is: what leads to this machine or another one passes no hub. */
export async function cutSites(
  helper: Helper,
  services: readonly string[],
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  for (const service of services) {
    progress(`ending what visitors have open with ${service}`);
    await helper.call('edge.cut', { service }, signal);
  }
}

function servicesOf({ resources }: Desired): string[] {
  return [...resources.values()].flat().flatMap(({ spec }) => {
    const parsed = SpecOfSites.safeParse(spec);
    return parsed.success ? parsed.data.sites.map(({ service }) => service) : [];
  });
}
