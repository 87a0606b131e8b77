import { constants, readFileSync, statSync } from 'node:fs';
import { open, statfs } from 'node:fs/promises';
import { errnoOf, GatewayError } from '../core/errors.ts';
import type { EnteredPlace } from '../core/entered.ts';
import { enteredText } from '../core/service.ts';
import { fileError } from '../system/files.ts';
import { netnsPath } from '../system/netns.ts';
import { run, type Argv } from '../system/run.ts';

/**
 * Finds namespaces that somebody else makes. Asking podman, Docker or systemd starts a program, so the answer is kept
 * for as long as the process that it named lives; looking whether that is so costs two small reads.
 */
interface Known {
  /** 0: it was not running when we asked. */
  readonly pid: number;
  /** Start time in clock ticks since boot: a process id alone may come to mean another process. */
  readonly startedAt: string;
  readonly askedAt: number;
}

/** Another container may have taken the name while the old one runs on under another. */
const MAX_AGE_MS = 5 * 60_000;
/** A container engine that hangs must not keep other services waiting for long. */
const ANSWER_MS = 4_000;
const NSFS_MAGIC = 0x6e736673;

/** By `enteredText`. One helper runs in a process, and what it learned is true for the whole machine. */
const processes = new Map<string, Known>();

export interface OpenNamespace {
  /** Leads to this very namespace, whatever becomes of its process meanwhile. */
  readonly path: string;
  /** The kernel's number of it. */
  readonly namespace: string;
}

/** Asks anew where it is, holds it open and hands it over. Throws `NamespaceMissing` while it is not there. */
export async function withNamespace<Result>(
  place: EnteredPlace,
  signal: AbortSignal,
  use: (found: OpenNamespace) => Promise<Result>,
): Promise<Result> {
  const path = place.by === 'name' ? netnsPath(place.value) : await processPath(place, signal);
  const file = await openNamespace(path, place);
  try {
    const held = `/proc/${process.pid}/fd/${file.fd}`;
    if ((await statfs(held)).type !== NSFS_MAGIC) throw missing(place);
    return await use({ path: held, namespace: String((await file.stat()).ino) });
  } finally {
    await file.close();
  }
}

export interface Current {
  /** The kernel's number of the namespace; empty while there is none. Used again as soon as a namespace is gone. */
  readonly namespace: string;
  /** Never the same for two namespaces, one after the other. */
  readonly identity: string;
}

/** Starts no program unless nobody ever asked. */
export async function currentNamespace(place: EnteredPlace, signal: AbortSignal): Promise<Current> {
  if (place.by === 'name') {
    const { ino, ctimeNs } = statOf(netnsPath(place.value)) ?? NOTHING;
    return { namespace: ino, identity: `${ino} ${ctimeNs}`.trim() };
  }
  const known = processes.get(enteredText(place)) ?? (await ask(place, signal));
  const namespace = lives(known) ? numberOf(`/proc/${known.pid}/ns/net`) : '';
  return { namespace, identity: namespace === '' ? '' : `${namespace} ${known.startedAt}` };
}

/** Asks whoever starts it whether it runs now. */
export async function ask(place: EnteredPlace, signal: AbortSignal): Promise<Known> {
  const before = processes.get(enteredText(place));
  const pid = await ASK[place.by as keyof typeof ASK](place.value, signal);
  const startedAt = startOf(pid) ?? '';
  const isReused = place.by === 'pid' && (before?.startedAt ?? startedAt) !== startedAt;
  const known =
    startedAt === '' || isReused
      ? { pid: 0, startedAt: before?.startedAt ?? '', askedAt: Date.now() }
      : { pid, startedAt, askedAt: Date.now() };
  processes.set(enteredText(place), known);
  return known;
}

async function processPath(place: EnteredPlace, signal: AbortSignal): Promise<string> {
  const kept = processes.get(enteredText(place));
  const isFresh = kept !== undefined && Date.now() - kept.askedAt < MAX_AGE_MS && lives(kept);
  const { pid } = isFresh ? kept : await ask(place, signal);
  if (pid === 0) throw missing(place);
  return `/proc/${pid}/ns/net`;
}

function lives({ pid, startedAt }: Known): boolean {
  return pid !== 0 && startOf(pid) === startedAt;
}

/**
 * Field 22 of proc_pid_stat(5); `undefined` when it has ended. The name before it may hold anything.
 * The kernel answers at once; going through the thread pool, five times a second, would cost ten times as much.
 */
function startOf(pid: number): string | undefined {
  if (pid === 0) return undefined;
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw fileError(`process ${pid} could not be examined`, error);
  }
}

export function numberOf(path: string): string {
  return (statOf(path) ?? NOTHING).ino;
}

const NOTHING = { ino: '', ctimeNs: '' };

function statOf(path: string): typeof NOTHING | undefined {
  try {
    const { ino, ctimeNs } = statSync(path, { bigint: true });
    return { ino: String(ino), ctimeNs: String(ctimeNs) };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw fileError(`${path} could not be examined`, error);
  }
}

async function openNamespace(path: string, place: EnteredPlace): ReturnType<typeof open> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') throw missing(place);
    throw fileError(`the network namespace of ${enteredText(place)} could not be opened`, error);
  }
}

function missing(place: EnteredPlace): GatewayError {
  const what = place.by === 'name' ? 'does not exist' : 'is not running';
  return new GatewayError(`${enteredText(place)} ${what}, so its network namespace is not there`, {
    code: 'NamespaceMissing',
    hint: HINTS[place.by](place.value),
  });
}

const HINTS = {
  name: (value) => `make it (ip netns add ${value}), or correct its name in gateway.yaml`,
  pid: () => 'write the id of the process that runs now; better, name its container or unit',
  container: (value) =>
    `start it: podman start ${value} (or docker start ${value}); it is found by itself then`,
  unit: (value) => `start it: systemctl start ${value}; it is found by itself then`,
} as const satisfies Record<EnteredPlace['by'], (value: string) => string>;

const ASK = {
  pid: (value: string): Promise<number> => Promise.resolve(Number(value)),
  container: askRuntimes,
  unit: async (value: string, signal: AbortSignal): Promise<number> =>
    (await asked(['systemctl', 'show', '--property=MainPID', '--value', value], signal)) ?? 0,
} as const;

/** Each has containers of its own; the one in which it runs answers with a process. */
async function askRuntimes(name: string, signal: AbortSignal): Promise<number> {
  const inspect = ['inspect', '--type', 'container', '--format', '{{.State.Pid}}', name] as const;
  const answers = [
    hasPodmanRun() ? await asked(['podman', ...inspect], signal) : undefined,
    await asked(['docker', ...inspect], signal),
  ].filter((pid) => pid !== undefined);
  const running = answers.filter((pid) => pid > 0);
  if (running.length > 1) {
    throw new GatewayError(
      `container ${name} runs in podman and in Docker, so it is not clear which is meant`,
      {
        code: 'NamespaceTaken',
        retry: 'when-changed',
        hint: 'rename one of them, and write its new name into gateway.yaml',
      },
    );
  }
  return running[0] ?? 0;
}

/** Asked for the first time, podman makes itself a store; where it never ran, it has no containers either. */
function hasPodmanRun(): boolean {
  return ['/run/libpod', '/run/containers'].some((path) => numberOf(path) !== '');
}

/** A process id; `undefined` when the program is not here, or knows nothing of it. */
async function asked(argv: Argv, signal: AbortSignal): Promise<number | undefined> {
  try {
    const { stdout, exitCode } = await run(argv, { signal, timeoutMs: ANSWER_MS, accept: [0, 1, 125] });
    const said = stdout.trim();
    return exitCode === 0 && /^\d{1,7}$/.test(said) ? Number(said) : undefined;
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'CommandMissing') return undefined;
    throw error;
  }
}
