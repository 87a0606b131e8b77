import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../core/errors.ts';
import type { EnteredPlace, SeenNamespace } from '../core/entered.ts';
import { enteredText } from '../core/service.ts';
import { readApplied } from './applied-file.ts';
import type { Handler } from './environment.ts';
import { ask, currentNamespace } from './namespace-place.ts';

/** How often the kernel is asked whether what we entered is still there: two small reads for each service. */
const LOOK_MS = 200;
const ANSWER_AFTER_MS = 30_000;
/** A new process may enter its namespace, and be told of by podman, Docker or systemd, a moment after it began. */
const YOUNG_MS = 3_000;
/** Between two questions about the same place; doubled up to the maximum while the answer stays the same. */
const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 1_000;

/** One at a time: whoever calls again has another config, or is another daemon. */
let running: AbortController | undefined;

export const watchEntered: Handler<'entered.watch'> = async ({ seen }, environment, signal) => {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const ending = AbortSignal.any([signal, mine.signal]);
  const { services = {} } = (await readApplied(environment.paths.applied)) ?? {};
  const places = Object.entries(services).flatMap(([service, { place }]) =>
    place.type === 'entered' ? [{ service, place: { by: place.by, value: place.value } }] : [],
  );
  const before = textOf(seen);
  const deadline = Date.now() + ANSWER_AFTER_MS;
  for (;;) {
    const now = await lookAt(places, signal);
    if (textOf(now) !== before || Date.now() > deadline || ending.aborted) return { seen: now };
    await pause(ending);
  }
};

interface Watched {
  readonly service: string;
  readonly place: EnteredPlace;
}

async function lookAt(places: readonly Watched[], signal: AbortSignal): Promise<SeenNamespace[]> {
  const seen = await Promise.all(
    places.map(async ({ service, place }) => {
      return { service, namespace: (await currentNamespace(place, signal)).identity };
    }),
  );
  const missing = places.filter((_, index) => seen[index]?.namespace === '');
  const wanted = missing.filter(({ place }) => place.by === 'container' || place.by === 'unit');
  if (wanted.length > 0 && somebodyEntered()) await askAbout(wanted, signal);
  return seen;
}

function textOf(seen: readonly SeenNamespace[]): string {
  return seen
    .map(({ service, namespace }) => `${service} ${namespace}`)
    .sort()
    .join('\n');
}

async function pause(signal: AbortSignal): Promise<void> {
  try {
    await sleep(LOOK_MS, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/**
 * Has a young process another network namespace than ours? Then what we miss may have been started, and whoever knows is
 * asked; as long as nothing of the kind happens, nobody is.
 */
function somebodyEntered(): boolean {
  const now = Date.now();
  const names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const ours = readlinkSync('/proc/self/ns/net');
  const isFirstLook = born.size === 0;
  const alive = new Set(names);
  for (const name of born.keys()) if (!alive.has(name)) born.delete(name);
  for (const name of names) if (!born.has(name)) born.set(name, isFirstLook ? 0 : now);
  const young = [...born].filter(([, at]) => now - at < YOUNG_MS).map(([name]) => name);
  const namespaces = young.map(namespaceOf);
  return namespaces.some((namespace) => namespace !== undefined && namespace !== ours);
}

/** When each process was first seen; of those that were there before us: never. */
const born = new Map<string, number>();

function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch (error) {
    // It has ended (or is a zombie); or belongs to a user that even root may not look at, in a lab without root.
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** By place: when it may be asked about again, and how long to wait after that. */
const pauses = new Map<string, { readonly until: number; readonly pauseMs: number }>();

async function askAbout(missing: readonly Watched[], signal: AbortSignal): Promise<void> {
  for (const { place } of missing) {
    const key = enteredText(place);
    const now = Date.now();
    const { until, pauseMs } = pauses.get(key) ?? { until: 0, pauseMs: FIRST_PAUSE_MS };
    if (now < until) continue;
    const { pid } = await ask(place, signal);
    const isQuiet = now - until > YOUNG_MS;
    const nextMs = isQuiet ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, MAX_PAUSE_MS);
    if (pid === 0) pauses.set(key, { until: Date.now() + nextMs, pauseMs: nextMs });
    else pauses.delete(key);
  }
}
