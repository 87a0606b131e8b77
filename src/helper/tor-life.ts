import { open, stat } from 'node:fs/promises';
import { errnoOf } from '../core/errors.ts';
import { retryAfterMs } from '../core/retry.ts';
import { fileError } from '../system/files.ts';
import type { HelperEnvironment } from './environment.ts';

/**
 * What the helper remembers of its tor, to tell slow from hung and unlucky from broken. A restart of the helper forgets
 * it: then everything takes a little longer, and nothing else.
 */
interface Life {
  /** The process that we started and did not end. */
  born?: {
    readonly pid: number;
    readonly atMs: number;
    readonly logFile: string;
    readonly logOffset: number;
  };
  /** Lives in a row that ended soon after their start, by themselves. */
  shortLives: number;
  endedAtMs: number;
  /** What it said of its end. */
  lastWords?: string;
  silence?: { readonly pid: number; readonly sinceMs: number; readonly missed: number };
}

/** One that lived this long was no victim of what it began with. */
const GOOD_LIFE_MS = 60_000;
/** Both must be so before a tor counts as hung: a busy machine makes a healthy one miss an answer, or two. */
const HUNG_AFTER_MS = 15_000;
const HUNG_MISSES = 3;

const lives = new Map<string, Life>();

function lifeOf({ paths }: HelperEnvironment): Life {
  const life = lives.get(paths.torState) ?? { shortLives: 0, endedAtMs: 0 };
  lives.set(paths.torState, life);
  return life;
}

/** Before a start: where its log begins. */
export async function logEnd(logFile: string): Promise<number> {
  try {
    return (await stat(logFile)).size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw fileError(`${logFile} could not be looked at`, error);
  }
}

export function noteBirth(
  environment: HelperEnvironment,
  born: Omit<NonNullable<Life['born']>, 'atMs'>,
): void {
  const life = lifeOf(environment);
  life.born = { ...born, atMs: performance.now() };
  delete life.silence;
}

/** We ended it ourselves: that says nothing about its health. */
export function noteEnding(environment: HelperEnvironment): void {
  const life = lifeOf(environment);
  delete life.born;
  delete life.silence;
}

/** Somebody changed what it reads: what went wrong before says nothing about the next start. */
export function forgiveShortLives(environment: HelperEnvironment): void {
  lifeOf(environment).shortLives = 0;
}

export function noteAnswer(environment: HelperEnvironment): void {
  delete lifeOf(environment).silence;
}

export interface Silence {
  readonly forMs: number;
  /** Long enough, and often enough: it will not answer any more. */
  readonly isHung: boolean;
  readonly message: string;
}

/** `waitedMs`: how long this answer was waited for. */
export function noteMissed(environment: HelperEnvironment, pid: number, waitedMs: number): Silence {
  const life = lifeOf(environment);
  const before = life.silence?.pid === pid ? life.silence : undefined;
  const silence = {
    pid,
    sinceMs: before?.sinceMs ?? performance.now() - waitedMs,
    missed: (before?.missed ?? 0) + 1,
  };
  life.silence = silence;
  const forMs = Math.round(performance.now() - silence.sinceMs);
  const isHung = forMs >= HUNG_AFTER_MS && silence.missed >= HUNG_MISSES;
  const next = `once it has missed ${HUNG_MISSES} answers and ${HUNG_AFTER_MS / 1000} s, it is ended and started again`;
  const asked = `asked ${silence.missed} ${silence.missed === 1 ? 'time' : 'times'}`;
  return {
    forMs,
    isHung,
    message: `process ${pid} has not answered for ${seconds(forMs)}, ${asked}; ${next}`,
  };
}

export interface Absence {
  /** Why it is gone, and how often; `undefined` when there is nothing to say. */
  readonly trouble: string | undefined;
  /** 0: it may be started. */
  readonly waitMs: number;
}

/** There is no process. */
export async function noteAbsence(environment: HelperEnvironment): Promise<Absence> {
  const life = lifeOf(environment);
  const { born } = life;
  if (born !== undefined) {
    delete life.born;
    delete life.silence;
    life.endedAtMs = performance.now();
    life.shortLives = life.endedAtMs - born.atMs < GOOD_LIFE_MS ? life.shortLives + 1 : 0;
    const words = lastWordsIn(await readFrom(born.logFile, born.logOffset));
    if (words === undefined) delete life.lastWords;
    else life.lastWords = words;
  }
  // Once is bad luck, and costs visitors no second more than it must.
  const waitsMs = life.shortLives < 2 ? 0 : retryAfterMs(life.shortLives - 1);
  const restMs = life.endedAtMs + waitsMs - performance.now();
  return { trouble: troubleOf(life, restMs), waitMs: Math.max(0, Math.ceil(restMs)) };
}

/** What it merely warned of is no reason to end. */
function lastWordsIn(log: string): string | undefined {
  const words = log
    .split('\n')
    .flatMap((line) => /\[err\] (.*)$/.exec(line)?.[1] ?? /Tor \S+ died: .*$/.exec(line)?.[0] ?? []);
  return words.slice(-2).join(' / ') || undefined;
}

function troubleOf({ shortLives, lastWords }: Life, restMs: number): string | undefined {
  const words = lastWords === undefined ? '' : `: ${lastWords}`;
  if (shortLives === 0) return lastWords === undefined ? undefined : `it ended by itself${words}`;
  const times = shortLives === 1 ? 'once' : `${shortLives} times in a row`;
  const next = restMs > 0 ? `; it is started again in ${seconds(restMs)}` : '';
  return `it ended ${times} soon after its start${words}${next}`;
}

function seconds(milliseconds: number): string {
  return `${Math.max(1, Math.round(milliseconds / 1000))} s`;
}

const TAIL_BYTES = 8192;

async function readFrom(path: string, offset: number): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      // Shorter than it was: it was put aside meanwhile.
      const from = Math.max(size < offset ? 0 : offset, size - TAIL_BYTES);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, from);
      return buffer.subarray(0, bytesRead).toString();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw fileError(`${path} could not be read`, error);
  }
}
