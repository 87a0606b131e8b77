import { chmod, chown, rename, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { fileError } from '../system/files.ts';

export interface SocketAccess {
  /** Members of this group may connect: mode 0660. */
  readonly gid: number;
}

/**
 * Listens with access already limited when the socket appears under its name; replaces one that nobody answers on.
 * `AlreadyRunning` when another process answers.
 */
export async function listenOn(
  path: string,
  access: SocketAccess,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  if (await answers(path)) {
    throw new GatewayError(`another helper answers on ${path}`, {
      code: 'AlreadyRunning',
      retry: 'never',
      hint: 'use the one that runs, or choose other directories with --root',
    });
  }
  const fresh = `${path}.new`;
  await unlinkIfThere(fresh);
  const server = createServer(onConnection);
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(fresh, resolve);
    });
    await chown(fresh, 0, access.gid);
    await chmod(fresh, 0o660);
    await rename(fresh, path);
  } catch (error) {
    server.close();
    throw fileError(`the socket ${path} could not be made`, error);
  } finally {
    process.umask(umask);
  }
  return server;
}

/** Ends connections too. */
export async function closeServer(server: Server, path: string, sockets: Iterable<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const socket of sockets) socket.destroy();
  await closed;
  await unlinkIfThere(path);
}

async function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => {
      const errno = errnoOf(error);
      if (errno === 'ENOENT' || errno === 'ECONNREFUSED' || errno === 'ENOTSOCK') resolve(false);
      else reject(fileError(`${path} could not be examined`, error));
    });
  });
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileError(`${path} could not be removed`, error);
  }
}
