import { DatabaseSync } from 'node:sqlite';
import { GatewayError } from '../core/errors.ts';

/**
 * One daemon per set of directories. The kernel releases the lock with the process, however it ends, which a pid file
 * cannot promise; SQLite is the only way to a POSIX file lock that Node ships.
 */
export function takeLock(path: string): { release(): void } {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;');
  } catch (cause) {
    database.close();
    throw new GatewayError(`another gateway daemon holds ${path}`, {
      code: 'AlreadyRunning',
      retry: 'never',
      hint: 'use the running one (gateway status), or choose other directories with --root',
      cause,
    });
  }
  return { release: () => database.close() };
}
