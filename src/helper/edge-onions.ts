import type { EdgeSpec } from '../core/operations.ts';
import type { HelperEnvironment } from './environment.ts';
import { readKeyFiles, readMark } from './onion-directory.ts';
import { hasTorDirectory, inTorDirectory, ofInstance } from './tor-directory.ts';

/** A service of privacy tor-only has no web name, so its process is not asked. */
const INSTANCES = ['tor', 'single-hop'] as const;

/** Onion addresses that visitors of a web name may be told: of those that asked, and never one that asks for a key. */
export async function publicOnions(
  { sites }: EdgeSpec,
  environment: HelperEnvironment,
): Promise<Record<string, string>> {
  const wanted = new Set(sites.filter(({ onionLocation }) => onionLocation).map(({ service }) => service));
  if (wanted.size === 0) return {};
  const found = new Map<string, string>();
  for (const instance of INSTANCES) {
    const there = ofInstance(environment, instance);
    if (!(await hasTorDirectory(there))) continue;
    await inTorDirectory(there, async (directory) => {
      for (const service of wanted) {
        const spec = await readMark(directory, service);
        if (spec === undefined || spec.authorization !== undefined) continue;
        const { hostname, damaged } = await readKeyFiles(directory, spec);
        if (damaged !== undefined || hostname === '') continue;
        found.set(service, spec.virtualPort === 80 ? hostname : `${hostname}:${spec.virtualPort}`);
      }
    });
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}
