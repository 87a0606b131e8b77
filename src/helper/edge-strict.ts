import { isIP } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import type { EdgeSpec } from '../core/operations.ts';
import { writeFileAtomic } from '../system/files.ts';
import { ownedBy } from './edge-certificate-files.ts';
import { inEdgeDirectory, type EdgeDirectory } from './edge-directory.ts';
import { findOneOfEdge } from './edge-process.ts';
import { tellEdge } from './edge-socket.ts';
import { NOT_TOLD, STRICT_MAP } from './edge-strict-lines.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { readPlain } from './owned-directory.ts';

/**
 * Browsers that were told to come by https alone (RFC 6797) cannot come at all when that fails: so they are told only once
 * somebody outside got through, and for longer the longer it has been so.
 *
 *   first proved          | told for
 *   ----------------------+---------
 *   never, or an address  | not told
 *   now                   | 5 minutes
 *   a day ago             | a week
 *   30 days ago           | half a year
 *   the config says no    | 0 seconds: forget it
 *
 * `proved.json` remembers since when; `strict.map` is what HAProxy goes by, changed at run time.
 */
const STAGES = [
  { afterMs: 30 * 86_400_000, seconds: 15_552_000 },
  { afterMs: 86_400_000, seconds: 604_800 },
  { afterMs: 0, seconds: 300 },
] as const;

const PROVED = 'proved.json';
/** When each name was first proved, in milliseconds since the epoch. */
const Proved = z.record(z.string(), z.number());
type Proved = z.infer<typeof Proved>;

export function secondsAfter(provedForMs: number): number {
  // A clock that was set back begins anew, with the shortest.
  return STAGES.find(({ afterMs }) => provedForMs >= afterMs)?.seconds ?? 300;
}

export const noteProved: Handler<'edge.proved'> = async ({ name }, environment, signal) => {
  if (isIP(name) !== 0) return {};
  return inEdgeDirectory(environment, async (directory) => {
    const proved = await readProved(directory);
    const now = Date.now();
    const since = proved[name];
    if (since === undefined || since > now) {
      await write(directory, environment, PROVED, JSON.stringify({ ...proved, [name]: now }));
    }
    const lines = await readLines(directory);
    const line = `${name} ${secondsAfter(now - Math.min(since ?? now, now))}`;
    const own = lines.find((each) => each.startsWith(`${name} `));
    // Without a line it is not asked for; HAProxy is told of it when it loads its configuration.
    if (own === undefined || own === line || own.endsWith(' 0')) return {};
    const text = lines.map((each) => `${each === own ? line : each}\n`).join('');
    await write(directory, environment, STRICT_MAP, text);
    if ((await findOneOfEdge(environment)) === undefined) return {};
    await tellLine(line, environment, signal);
    return {};
  });
};

/** A name that came while HAProxy runs, or whose owner changed their mind. */
export async function tellStrict(
  asked: EdgeSpec,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  if (asked.sites.length === 0) return;
  const said = await tellEdge(environment, `show map ${STRICT_MAP}`, signal);
  const there = new Set(said.split('\n').map((line) => line.slice(line.indexOf(' ') + 1)));
  for (const line of await readLines(directory)) {
    if (!there.has(line)) await tellLine(line, environment, signal);
  }
}

async function tellLine(line: string, environment: HelperEnvironment, signal: AbortSignal): Promise<void> {
  await tellEdge(environment, `del map ${STRICT_MAP} ${line.split(' ', 1)[0] ?? ''}`, signal);
  await tellEdge(environment, `add map ${STRICT_MAP} ${line}`, signal);
}

/** Names that were not proved have a line as well, so that it can be set: -1 is not told. */
export async function strictMap(
  { sites }: EdgeSpec,
  directory: EdgeDirectory,
  environment: HelperEnvironment,
): Promise<ReadonlyMap<string, string>> {
  const all = await readProved(directory);
  const names = new Set(sites.map(({ domain }) => domain));
  const proved: Proved = Object.fromEntries(Object.entries(all).filter(([name]) => names.has(name)));
  // A name that was taken away is proved anew when it comes back.
  if (Object.keys(proved).length < Object.keys(all).length) {
    await write(directory, environment, PROVED, JSON.stringify(proved));
  }
  const now = Date.now();
  const lines = sites
    .filter(({ domain, mode }) => mode === 'http' && isIP(domain) === 0)
    .map(({ domain, strict }) => {
      if (strict === 'off') return `${domain} 0\n`;
      const since = proved[domain];
      return `${domain} ${since === undefined || since > now ? NOT_TOLD : secondsAfter(now - since)}\n`;
    });
  return new Map([[STRICT_MAP, lines.join('')]]);
}

async function readProved({ base }: EdgeDirectory): Promise<Proved> {
  const text = (await readPlain(join(base, PROVED)))?.toString() ?? '{}';
  try {
    return Proved.safeParse(JSON.parse(text)).data ?? {};
  } catch (error) {
    // It is proved anew within a minute.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

async function readLines({ base }: EdgeDirectory): Promise<string[]> {
  const text = (await readPlain(join(base, STRICT_MAP)))?.toString() ?? '';
  return text.split('\n').filter((line) => line !== '');
}

async function write(
  { base }: EdgeDirectory,
  environment: HelperEnvironment,
  name: string,
  text: string,
): Promise<void> {
  await writeFileAtomic(join(base, name), text, ownedBy(environment));
}
