import { chmod, unlink } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';

/** Anything that answers requests: the API's Hono app. */
export interface Fetches {
  readonly fetch: (request: Request) => Response | Promise<Response>;
}

export interface SocketOptions {
  /** Who may connect: the file's mode. */
  readonly mode: number;
  /** How long `close` waits for answers that are being written; default 2000. */
  readonly drainMs?: number;
}

/** `sun_path` of unix(7) is 108 bytes with its closing zero. */
const MAX_PATH_BYTES = 107;

/**
 * Listens on a unix socket. A socket file that nobody answers (left by a crash) is replaced; one that is answered is
 * `AlreadyRunning`. The mode is set before the first connection is accepted, by a umask that hides the file until then.
 */
export async function serveOnSocket(
  app: Fetches,
  path: string,
  options: SocketOptions,
): Promise<{ close(): Promise<void> }> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new GatewayError(
      `the socket path ${path} has ${Buffer.byteLength(path)} bytes; the kernel allows ${MAX_PATH_BYTES}`,
      { code: 'NotSupported', hint: 'choose a shorter directory with --root' },
    );
  }
  await removeStale(path);
  const server = createAdaptorServer({ fetch: app.fetch, createServer }) as Server;
  // An `up` may take as long as Tor needs; nothing here may time out by itself.
  server.requestTimeout = 0;
  server.headersTimeout = 10_000;
  await listen(server, path);
  await chmod(path, options.mode);
  return { close: () => close(server, options.drainMs ?? 2000) };
}

async function removeStale(path: string): Promise<void> {
  if (await isAnswered(path)) {
    throw new GatewayError(`another gateway answers on ${path}`, {
      code: 'AlreadyRunning',
      hint: 'stop it with gateway down, or choose other directories with --root',
    });
  }
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw refused(path, error);
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error) =>
      ['ENOENT', 'ECONNREFUSED', 'ENOTSOCK'].includes(errnoOf(error) ?? '')
        ? resolve(false)
        : reject(refused(path, error)),
    );
  });
}

function listen(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error) => reject(refused(path, error)));
  // The file appears within `listen`, before it returns: nothing else of this process sees the umask.
  const before = process.umask(0o177);
  server.listen(path, resolve);
  process.umask(before);
  return promise;
}

/** Ends what is idle at once, and what is being answered after a while. The socket file goes with the server. */
async function close(server: Server, drainMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const impatient = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(impatient);
}

function refused(path: string, cause: unknown): GatewayError {
  return new GatewayError(`cannot listen on ${path}: ${messageOf(cause)}`, {
    code: errnoOf(cause) === 'EACCES' || errnoOf(cause) === 'EPERM' ? 'PermissionDenied' : 'CommandFailed',
    hint: `is the directory of ${path} there, and may this user write to it?`,
    cause,
  });
}
