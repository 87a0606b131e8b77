import { setTimeout as sleep } from 'node:timers/promises';
import { createApp } from '../api/app.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import type { Engine } from '../engine/engine.ts';
import type { Store } from '../engine/store.ts';
import { pathsOf, type Directories, type Paths } from '../system/directories.ts';
import { notifyReady } from '../system/notify.ts';
import { writeFileAtomic } from '../system/files.ts';
import { openStore } from '../system/store/index.ts';
import { appliedOf } from './applied.ts';
import { compose } from './compose.ts';
import { serveOnSocket } from './listen.ts';
import { takeLock } from './lock.ts';

export interface DaemonOptions {
  readonly directories: Directories;
  /** Aborted to stop: every way in stays open. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Whoever starts it says `up` or `down` at once: what was applied last is applied again only after this while. */
  readonly firstPassInMs?: number;
}

/** Group members may do what root can here: the API adds services and devices. */
const API_SOCKET_MODE = 0o660;

/**
 * The daemon has no privileges and is not in the data path; it adopts what runs when it starts and leaves everything
 * running when it ends.
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const paths = pathsOf(options.directories);
  const lock = takeLock(paths.daemonLock);
  try {
    await writeFileAtomic(paths.daemonPid, `${process.pid}\n`, { mode: 0o644 });
    const store = openStore({ database: paths.database, snapshot: paths.snapshot });
    try {
      await serve(paths, store, options);
    } finally {
      store.close();
    }
  } finally {
    lock.release();
  }
}

async function serve(
  paths: Paths,
  store: Store,
  { signal, log, firstPassInMs = 0 }: DaemonOptions,
): Promise<void> {
  const leaving = new AbortController();
  const composed = compose({ paths, store, log, leave: () => leaving.abort() });
  const { record, control, changes, engine, home, recurring, watch } = composed;
  for (const message of store.recovered) record('state.recovered', message);
  await changes.adopt(AbortSignal.timeout(10_000), firstPassInMs);
  if (changes.trouble !== undefined) log('error', changes.trouble);
  const ending = AbortSignal.any([signal, leaving.signal]);
  const app = createApp(control, log, { signal: ending });
  const server = await serveOnSocket(app, paths.apiSocket, { mode: API_SOCKET_MODE });
  const found = store.isDown() ? 'the gateway is down until gateway up' : 'it adopts what runs';
  record('daemon.started', `the daemon started; ${found}`);
  for (const one of recurring) one.start();
  home.start();
  if (engine.desired !== undefined) watch.aim(appliedOf(engine.desired));
  log('info', 'daemon ready', { socket: paths.apiSocket });
  announce(composed.engine, changes.trouble, log, ending).catch((error: unknown) => {
    log('error', 'systemd was not told that the daemon is ready', { error: messageOf(error) });
  });
  await ended(ending);
  await server.close();
  const rest = store.isDown() ? '' : '; every way in stays open';
  record('daemon.stopped', `the daemon stopped${rest}`);
  await composed.close();
}

const ANNOUNCE_POLL_MS = 100;

/** Services of the machine may wait for us (`After=gateway.service`): ready means that their namespaces exist. */
async function announce(
  engine: Engine,
  trouble: string | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  while (engine.desired !== undefined && engine.failed === undefined) {
    if (signal.aborted) return;
    await sleep(ANNOUNCE_POLL_MS);
  }
  const failed = engine.failed?.length ?? 0;
  const said = trouble ?? (failed === 0 ? 'ready' : `ready; ${failed} changes failed and are tried again`);
  await notifyReady(said, signal);
  log('info', said);
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
