import { once } from 'node:events';
import type { Socket } from 'node:net';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import { pathsOf, type Directories } from '../system/directories.ts';
import { createLog } from '../system/log.ts';
import { notifyReady } from '../system/notify.ts';
import { makeDirectories } from '../system/make-directories.ts';
import { lookUpGroup, lookUpUser } from '../system/users.ts';
import { serveConnection } from './connection.ts';
import type { HelperEnvironment } from './environment.ts';
import { createDispatch, createQueues } from './queue.ts';
import { closeServer, listenOn } from './socket.ts';
import { WireguardWatch } from './wireguard-watch.ts';

export interface HelperOptions {
  readonly directories: Directories;
  /** Ends the helper; tor and wireguard-go go on. */
  readonly signal: AbortSignal;
  readonly log?: Log;
  /** Called once requests are answered. */
  readonly onReady?: () => void;
}

const GATEWAY_USER = 'gateway';
const TOR_USER = 'gateway-tor';
const EDGE_USER = 'gateway-edge';

/** The root process: serves run/helper.sock until `signal` aborts. Needs no daemon, and none needs it to start. */
export async function runHelper(options: HelperOptions): Promise<void> {
  const { directories, signal } = options;
  const log = options.log ?? createLog('helper', process.env['GATEWAY_LOG']);
  if (process.geteuid?.() !== 0) throw notRoot();
  const [gateway, tor, edge, gid] = await Promise.all([
    lookUpUser(GATEWAY_USER),
    lookUpUser(TOR_USER),
    lookUpUser(EDGE_USER),
    lookUpGroup(GATEWAY_USER),
  ]);
  const paths = pathsOf(directories);
  const environment: HelperEnvironment = { directories, paths, gateway, tor, edge, log };
  await makeDirectories(directories, gid);
  const takeTurn = createQueues();
  const watch = new WireguardWatch(environment, takeTurn, signal);
  const adopted = Promise.withResolvers<undefined>();
  const dispatch = createDispatch(environment, takeTurn, signal, (name, input) => watch.after(name, input));
  const sockets = new Set<Socket>();
  const server = await listenOn(paths.helperSocket, { gid }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serveConnection(
      socket,
      async (...call) => {
        await adopted.promise;
        return dispatch(...call);
      },
      log,
    );
  });
  // Only the one that holds the socket looks after what runs: a second helper ends here, having touched nothing.
  await watch.adopt();
  adopted.resolve(undefined);
  log('info', 'the helper is ready', { socket: paths.helperSocket });
  options.onReady?.();
  await notifyReady('ready', signal);
  if (!signal.aborted) await once(signal, 'abort');
  await closeServer(server, paths.helperSocket, sockets);
}

function notRoot(): GatewayError {
  return new GatewayError('the helper must run as root: it makes namespaces and interfaces', {
    code: 'PermissionDenied',
    retry: 'never',
    hint: 'start it as root: sudo gateway helper',
  });
}
