import { spawn, type SpawnOptions } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { errnoOf, GatewayError } from '../core/errors.ts';

/** The one place that runs commands: an argument vector, never a shell. */
export type Argv = readonly [string, ...string[]];

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly input?: string | Uint8Array;
  /** Default 20 000. */
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Exit codes that are not errors; default [0]. */
  readonly accept?: readonly number[];
}

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const LINGER_MS = 500;

/** Runs to the end. Rejects with `CommandMissing`, `CommandFailed`, `Timeout` or `Aborted`; never prints input. */
export async function run(argv: Argv, options: RunOptions): Promise<Ran> {
  if (options.signal.aborted) throw aborted(argv, options.signal);
  const timeoutMs = options.timeoutMs ?? 20_000;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]);
  const ran = await collect(argv, options, signal);
  if ((options.accept ?? [0]).includes(ran.exitCode)) return ran;
  if (options.signal.aborted) throw aborted(argv, options.signal);
  if (signal.aborted) {
    throw new GatewayError(`${argv.join(' ')} did not end within ${timeoutMs} ms`, { code: 'Timeout' });
  }
  const said = (ran.stderr.trim() || ran.stdout.trim()).slice(0, 2000);
  throw new GatewayError(`${argv.join(' ')} ended with ${ran.exitCode}: ${said}`, { code: 'CommandFailed' });
}

function collect(argv: Argv, options: RunOptions, signal: AbortSignal): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), {
      ...spawnOptions(options),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const stop = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', stop, { once: true });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    const keep = (into: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_OUTPUT_BYTES) stop();
      else into.push(chunk);
    };
    child.stdout.on('data', keep(out));
    child.stderr.on('data', keep(err));
    child.on('error', (error) => reject(translate(argv, error)));
    // A daemon that it left behind may hold its pipes for ever; what it said itself is here soon after its end.
    child.on(
      'exit',
      () => void setTimeout(() => (child.stdout.destroy(), child.stderr.destroy()), LINGER_MS).unref(),
    );
    child.on('close', (code) => {
      signal.removeEventListener('abort', stop);
      resolve({
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
        exitCode: code ?? 137,
      });
    });
    // EPIPE: the program ended without reading its input; its exit code says why.
    child.stdin.on('error', (error) =>
      errnoOf(error) === 'EPIPE' ? undefined : reject(translate(argv, error)),
    );
    child.stdin.end(options.input);
  });
}

/** Runs a program that tells of events until one of its lines is the one; `undefined` when `signal` aborted before. */
export function waitForLine(
  argv: Argv,
  isIt: (line: string) => boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return resolve(undefined);
    const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] });
    const stop = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', stop, { once: true });
    const lines = createInterface({ input: child.stdout });
    let found: string | undefined;
    lines.on('line', (line) => {
      if (found !== undefined || !isIt(line)) return;
      found = line;
      stop();
    });
    child.on('error', (error) => reject(translate(argv, error)));
    child.on('close', (code) => {
      signal.removeEventListener('abort', stop);
      if (found !== undefined || signal.aborted) return resolve(found);
      reject(
        new GatewayError(`${argv.join(' ')} ended by itself with ${code ?? 137}`, { code: 'CommandFailed' }),
      );
    });
  });
}

export interface DetachOptions {
  /** stdout and stderr are appended here; a pipe would tie the process to ours. */
  readonly logFile: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** Starts a process in a session of its own that outlives us. Resolves with its pid. */
export async function detach(argv: Argv, options: DetachOptions): Promise<number> {
  const log = openSync(options.logFile, 'a', 0o640);
  try {
    return await new Promise((resolve, reject) => {
      const child = spawn(argv[0], argv.slice(1), {
        ...spawnOptions(options),
        detached: true,
        stdio: ['ignore', log, log],
      });
      child.on('error', (error) => reject(translate(argv, error)));
      child.on('spawn', () => {
        child.unref();
        resolve(child.pid ?? 0);
      });
    });
  } finally {
    closeSync(log);
  }
}

/** Hands our terminal to a program and resolves with its exit code (128 + signal when killed). */
export function attach(argv: Argv, options: Pick<RunOptions, 'env' | 'cwd'> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), { ...spawnOptions(options), stdio: 'inherit' });
    // A terminal sends Ctrl-C to the program as well; what is sent to us alone is passed on.
    const forward = (signal: NodeJS.Signals): void =>
      void (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal));
    for (const signal of FORWARDED) process.on(signal, forward);
    const release = (): void => FORWARDED.forEach((signal) => void process.off(signal, forward));
    child.on('error', (error) => {
      release();
      reject(translate(argv, error));
    });
    child.on('close', (code, signal) => {
      release();
      resolve(code ?? 128 + (signal === null ? 9 : constants.signals[signal]));
    });
  });
}

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function spawnOptions(options: Pick<RunOptions, 'env' | 'cwd'>): SpawnOptions {
  return {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
  };
}

function translate(argv: Argv, cause: Error): GatewayError {
  if (errnoOf(cause) === 'ENOENT') {
    return new GatewayError(`${argv[0]} is not on this machine`, {
      code: 'CommandMissing',
      hint: 'run bin/setup, which brings every program that is needed',
      cause,
    });
  }
  return new GatewayError(`${argv[0]} could not be started: ${cause.message}`, {
    code: 'CommandFailed',
    cause,
  });
}

function aborted(argv: Argv, signal: AbortSignal): GatewayError {
  return new GatewayError(`${argv[0]} was cancelled`, {
    code: 'Aborted',
    retry: 'never',
    cause: signal.reason,
  });
}
