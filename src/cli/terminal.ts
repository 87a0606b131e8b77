import { stripVTControlCharacters } from 'node:util';
import type { Progress } from '../core/control.ts';

/** Where a command writes: results to stdout, everything else to stderr. */
export interface Terminal {
  /** One or more lines of the result. */
  print(text: string): void;
  /** A remark that is not the result: notes, progress, errors. */
  note(text: string): void;
  readonly hasColour: boolean;
  readonly columns: number;
  /** Somebody sits there: only where both what is typed and what is printed is a terminal. */
  readonly keyboard?: Keyboard;
}

export interface Keyboard {
  /** Resolves with true once Enter was pressed; false when it was interrupted or nobody can press it any more. */
  enter(signal: AbortSignal): Promise<boolean>;
  /** Sequences for the terminal itself. */
  draw(sequence: string): void;
}

export function systemTerminal(isColourWanted: boolean): Terminal {
  const { stdout, stderr, env } = process;
  // `gateway events | head -1`: who reads has seen enough; that is no failure.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    print: (text) => void stdout.write(text.endsWith('\n') ? text : `${text}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    hasColour: isColourWanted && stdout.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    columns: stdout.isTTY ? Math.max(stdout.columns, 40) : 80,
    ...(process.stdin.isTTY && stdout.isTTY
      ? { keyboard: { enter: untilEnter, draw: (sequence) => void stdout.write(sequence) } }
      : {}),
  };
}

function untilEnter(signal: AbortSignal): Promise<boolean> {
  const { stdin } = process;
  return new Promise((resolve) => {
    const done = (isPressed: boolean) => (): void => {
      for (const name of ['data', 'end', 'error'] as const) stdin.removeAllListeners(name);
      signal.removeEventListener('abort', interrupted);
      stdin.pause();
      resolve(isPressed);
    };
    const interrupted = done(false);
    if (signal.aborted) return resolve(false);
    signal.addEventListener('abort', interrupted, { once: true });
    // The terminal hands over whole lines: whatever comes ends with Enter.
    stdin.once('data', done(true)).once('end', done(false)).once('error', done(false));
    stdin.resume();
  });
}

const QUIET_MS = 1000;

/** Progress at once for a person who watches; for a script once something has taken longer than a second. */
export function progressOn(terminal: Terminal, isWatched: boolean): Progress {
  const quietUntil = performance.now() + (isWatched ? 0 : QUIET_MS);
  let waiting: NodeJS.Timeout | undefined;
  return (message) => {
    const note = (): void => terminal.note(`… ${plain(message)}`);
    clearTimeout(waiting);
    const left = quietUntil - performance.now();
    if (left <= 0) note();
    // What is done when the second is over, is what takes so long.
    else waiting = setTimeout(note, left).unref();
  };
}

/** Text from elsewhere without anything that a terminal obeys: controls (Cc) and letters that only steer (Cf). */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}]+/gu, ' ');
}
