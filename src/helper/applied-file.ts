import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Applied } from '../core/applied.ts';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';
import { fileError } from '../system/files.ts';

/** `undefined` before the first `up`. Links are not followed: the file's directory belongs to the daemon. */
export async function readApplied(path: string): Promise<Applied | undefined> {
  const text = await readNoFollow(path);
  if (text === undefined) return undefined;
  try {
    return Applied.parse(JSON.parse(text));
  } catch (cause) {
    throw new GatewayError(`${path} is damaged: ${messageOf(cause).slice(0, 300)}`, {
      code: 'StateCorrupt',
      hint: 'run gateway up, which writes it anew',
      cause,
    });
  }
}

async function readNoFollow(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw fileError(`${path} could not be read`, error);
  }
}
