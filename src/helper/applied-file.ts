import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Applied } from '../core/applied.ts';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';
import { fileError } from '../system/files.ts';

interface Read {
  /** Another one for each content: the daemon replaces the file, and never writes into it. */
  readonly identity: string;
  readonly applied: Applied;
}

/** By path. Every operation asks, and with thousands of devices reading takes longer than most of them. */
const kept = new Map<string, Read>();

/** `undefined` before the first `up`. Links are not followed: the file's directory belongs to the daemon. */
export async function readApplied(path: string): Promise<Applied | undefined> {
  const file = await openNoFollow(path);
  if (file === undefined) return undefined;
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
    const identity = [dev, ino, size, mtimeNs, ctimeNs].join(' ');
    const before = kept.get(path);
    if (before?.identity === identity) return before.applied;
    const applied = parse(path, await file.readFile('utf8'));
    kept.set(path, { identity, applied });
    return applied;
  } catch (error) {
    throw error instanceof GatewayError ? error : fileError(`${path} could not be read`, error);
  } finally {
    await file.close();
  }
}

function parse(path: string, text: string): Applied {
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

async function openNoFollow(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw fileError(`${path} could not be read`, error);
  }
}
