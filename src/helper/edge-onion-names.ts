import { join } from 'node:path';
import type { EdgeSpec } from '../core/operations.ts';
import { writeFileAtomic } from '../system/files.ts';
import { ownedBy } from './edge-certificate-files.ts';
import { inEdgeDirectory } from './edge-directory.ts';
import { NAMES_MAP } from './edge-inside.ts';
import { findOneOfEdge } from './edge-process.ts';
import { tellEdge } from './edge-socket.ts';
import type { HelperEnvironment } from './environment.ts';
import { readPlain } from './owned-directory.ts';
import { hasTorDirectory, inTorDirectory, ofInstance } from './tor-directory.ts';

/**
 * Which address each onion has: whoever asks for another name there is not answered, as at a web name, so that a page never
 * makes links of what a visitor claims. An onion gets its address after HAProxy got its socket, so this is changed at run time.
 */
/** As they are on disk. */
export async function onionNames(
  { onions = [] }: EdgeSpec,
  environment: HelperEnvironment,
): Promise<ReadonlyMap<string, string>> {
  const lines: string[] = [];
  for (const [instance, mine] of Map.groupBy(onions, (onion) => onion.instance)) {
    const there = ofInstance(environment, instance);
    if (!(await hasTorDirectory(there))) continue;
    await inTorDirectory(there, async (directory) => {
      for (const { service } of mine) {
        const hostname = (await readPlain(join(directory.onions, service, 'hostname')))?.toString().trim();
        if (/^[a-z2-7]{56}\.onion$/.test(hostname ?? '')) lines.push(lineOf(service, hostname ?? ''));
      }
    });
  }
  return new Map([[NAMES_MAP, lines.sort().join('')]]);
}

/** An onion was written: it may have had no address before. */
export function tellOnionName(
  service: string,
  hostname: string,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  return inEdgeDirectory(environment, async ({ base }) => {
    const file = join(base, NAMES_MAP);
    const before = (await readPlain(file))?.toString();
    const line = lineOf(service, hostname);
    const others = (before ?? '')
      .split('\n')
      .filter((each) => each !== '' && !each.startsWith(`${service} `));
    const after = [...others.map((each) => `${each}\n`), line].sort().join('');
    if (before === undefined || before === after) return;
    await writeFileAtomic(file, after, ownedBy(environment));
    if ((await findOneOfEdge(environment)) === undefined) return;
    await tellEdge(environment, `del map ${NAMES_MAP} ${service}`, signal);
    await tellEdge(environment, `add map ${NAMES_MAP} ${line.trim()}`, signal);
  });
}

function lineOf(service: string, hostname: string): string {
  return `${service} ${hostname}\n`;
}
