import { providers } from '../../providers/index.ts';
import { createApp } from '../api/app.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Log, Ports } from '../core/ports.ts';
import { ConditionClock } from '../engine/conditions.ts';
import { Engine } from '../engine/engine.ts';
import type { Store } from '../engine/store.ts';
import { namespacesPart } from '../parts/namespaces/index.ts';
import { nodeCrypto } from '../system/crypto.ts';
import { pathsOf, type Directories, type Paths } from '../system/directories.ts';
import { writeFileAtomic } from '../system/files.ts';
import { createHelper } from '../system/helper-client.ts';
import { createKeys } from '../system/keys.ts';
import { hostRoutes } from '../system/routes.ts';
import { openStore } from '../system/store/index.ts';
import { createTorPort } from '../system/tor.ts';
import { resolveHost } from '../system/resolve.ts';
import { Changes } from './change.ts';
import { Compiler } from './compiler.ts';
import { ConfigFile } from './config-file.ts';
import { createControl } from './control.ts';
import { Devices } from './devices.ts';
import { createJournal } from './journal.ts';
import { serveOnSocket } from './listen.ts';
import { takeLock } from './lock.ts';
import { StatusReporter } from './status-reporter.ts';

export interface DaemonOptions {
  readonly directories: Directories;
  /** Aborted to stop: every way in stays open. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

const PARTS = [namespacesPart];

/** Group members may do what root can here: the API adds services and devices. */
const API_SOCKET_MODE = 0o660;

/**
 * The composition root: the only place that knows every piece. The daemon has no privileges and is not in the data
 * path; it adopts what runs when it starts and leaves everything running when it ends.
 */
export async function runDaemon({ directories, signal, log }: DaemonOptions): Promise<void> {
  const paths = pathsOf(directories);
  const lock = takeLock(paths.daemonLock);
  try {
    const store = openStore({ database: paths.database, snapshot: paths.snapshot });
    try {
      await serve({ paths, store, signal, log });
    } finally {
      store.close();
    }
  } finally {
    lock.release();
  }
}

interface Serving {
  readonly paths: Paths;
  readonly store: Store;
  readonly signal: AbortSignal;
  readonly log: Log;
}

async function serve({ paths, store, signal, log }: Serving): Promise<void> {
  const helper = createHelper(paths.helperSocket);
  const tor = createTorPort({ controlSocket: paths.torControl, socksSocket: paths.torSocks });
  const keys = createKeys({ directory: paths.keys, registry: store, crypto: nodeCrypto });
  const ports: Ports = { now: Date.now, helper, keys, crypto: nodeCrypto, tor, resolve: resolveHost, log };
  const leaving = new AbortController();
  const record = createJournal(store, ports.now, log);
  for (const message of store.recovered) record('state.recovered', message);

  const engine = new Engine({
    parts: PARTS,
    providers,
    ports,
    record,
    // Not waited for: the pass is done, and the next one says it again.
    programmed: (desired) => {
      changes.programmed(desired).catch((error: unknown) => {
        log('error', 'generation was not marked as programmed', { error: messageOf(error) });
      });
    },
  });
  const file = new ConfigFile(paths.configFile, providers);
  const compiler = new Compiler({ store, parts: PARTS, providers, hostRoutes });
  const permit = (applied: object) =>
    writeFileAtomic(paths.applied, JSON.stringify(applied), { mode: 0o640 });
  const changes = new Changes({ file, compiler, engine, store, now: ports.now, permit, record });
  const clock = new ConditionClock(ports.now, () => undefined);
  const reporter = new StatusReporter({
    engine,
    store,
    ports,
    providers,
    clock,
    file,
    notices: store.recovered,
  });
  const devices = new Devices({
    changes,
    engine,
    store,
    ports,
    providers,
    record,
    report: (name) => reporter.device(name),
  });
  const leave = (): void => leaving.abort();
  const control = createControl({
    changes,
    devices,
    engine,
    file,
    paths,
    ports,
    providers,
    record,
    reporter,
    store,
    leave,
  });

  await adopt(engine, changes, log);
  const server = await serveOnSocket(createApp(control, log), paths.apiSocket, { mode: API_SOCKET_MODE });
  record('daemon.started', 'the daemon started and adopted what runs');
  log('info', 'daemon ready', { socket: paths.apiSocket });
  await ended(AbortSignal.any([signal, leaving.signal]));
  await server.close();
  await engine.stop();
  record('daemon.stopped', 'the daemon stopped; every way in stays open');
  await Promise.all([helper.close(), tor.close()]);
}

/** State that cannot be used must not keep the API from saying so. */
async function adopt(engine: Engine, changes: Changes, log: Log): Promise<void> {
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
