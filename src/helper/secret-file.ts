import { randomBytes } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileError } from '../system/files.ts';

/**
 * Hands a secret to a program that reads it from a file: `wg` takes keys in no other way that keeps them out of the list
 * of processes, and cannot open /dev/stdin when that is a socket, as it is under Node. The file has no name while it
 * holds anything, so whatever moment we are killed nothing stays behind.
 */
export async function withSecretFile<Result>(
  directory: string,
  secret: string,
  use: (path: string) => Promise<Result>,
): Promise<Result> {
  const name = join(directory, `.secret-${randomBytes(8).toString('hex')}`);
  const file = await open(name, 'wx+', 0o600).catch((error: unknown) => {
    throw fileError(`a file for a key could not be made in ${directory}`, error);
  });
  try {
    await unlink(name);
    await file.writeFile(secret);
    return await use(`/proc/${process.pid}/fd/${file.fd}`);
  } finally {
    await file.close();
  }
}
