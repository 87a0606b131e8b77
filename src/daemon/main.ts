import { createApp } from '../api/app.ts';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import type { Store } from '../engine/store.ts';
import { pathsOf, type Directories, type Paths } from '../system/directories.ts';
import { openStore } from '../system/store/index.ts';
import { compose, type Composed } from './compose.ts';
import { serveOnSocket } from './listen.ts';
import { takeLock } from './lock.ts';

export interface DaemonOptions {
  readonly directories: Directories;
  /** Aborted to stop: every way in stays open. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** Group members may do what root can here: the API adds services and devices. */
const API_SOCKET_MODE = 0o660;

/**
 * The daemon has no privileges and is not in the data path; it adopts what runs when it starts and leaves everything
 * running when it ends.
 */
export async function runDaemon({ directories, signal, log }: DaemonOptions): Promise<void> {
  const paths = pathsOf(directories);
  const lock = takeLock(paths.daemonLock);
  try {
    const store = openStore({ database: paths.database, snapshot: paths.snapshot });
    try {
      await serve(paths, store, signal, log);
    } finally {
      store.close();
    }
  } finally {
    lock.release();
  }
}

async function serve(paths: Paths, store: Store, signal: AbortSignal, log: Log): Promise<void> {
  const leaving = new AbortController();
  const composed = compose({ paths, store, log, leave: () => leaving.abort() });
  const { record, control } = composed;
  for (const message of store.recovered) record('state.recovered', message);
  await adopt(composed, log);
  const ending = AbortSignal.any([signal, leaving.signal]);
  const app = createApp(control, log, { signal: ending });
  const server = await serveOnSocket(app, paths.apiSocket, { mode: API_SOCKET_MODE });
  record('daemon.started', 'the daemon started and adopted what runs');
  log('info', 'daemon ready', { socket: paths.apiSocket });
  await ended(ending);
  await server.close();
  record('daemon.stopped', 'the daemon stopped; every way in stays open');
  await composed.close();
}

/** State that cannot be used must not keep the API from saying so. */
async function adopt({ engine, changes }: Composed, log: Log): Promise<void> {
  try {
    await changes.adopt(AbortSignal.timeout(10_000));
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    log('error', 'what was applied last cannot be used', { error: error.message });
    engine.start(undefined);
  }
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
