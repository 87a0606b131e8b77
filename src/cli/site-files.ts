import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';

export interface NewFile {
  readonly name: string;
  readonly text: string | Uint8Array;
}

export interface ReservedSite {
  /** Resolves with the paths. */
  fill(files: readonly NewFile[]): Promise<readonly string[]>;
  /** Removes what was reserved and not filled. */
  release(): Promise<void>;
}

/** 0600, before there are keys, and never over a file that is there: what is written once must not be lost. */
export async function reserveIn(directory: string, names: readonly string[]): Promise<ReservedSite> {
  const handles = new Map<string, FileHandle>();
  const release = async (): Promise<void> => {
    for (const [path, handle] of handles) {
      await handle.close();
      await unlink(path);
    }
    handles.clear();
  };
  try {
    await mkdir(directory, { recursive: true });
    for (const name of names) {
      const path = join(directory, name);
      handles.set(path, await open(path, 'wx', 0o600));
    }
  } catch (error) {
    await release();
    throw refused(directory, error);
  }
  return {
    fill: async (files) => {
      const paths: string[] = [];
      for (const { name, text } of files) {
        const path = join(directory, name);
        const handle = handles.get(path);
        if (handle === undefined) continue;
        await handle.writeFile(text);
        await handle.sync();
        await handle.close();
        handles.delete(path);
        paths.push(path);
      }
      return paths;
    },
    release,
  };
}

function refused(directory: string, cause: unknown): unknown {
  if (errnoOf(cause) === undefined) return cause;
  const isThere = errnoOf(cause) === 'EEXIST';
  return new GatewayError(
    isThere
      ? `a file of this name is in ${directory} already and was not touched: ${messageOf(cause)}`
      : `nothing can be written into ${directory}: ${messageOf(cause)}`,
    {
      code: isThere ? 'AlreadyExists' : 'PermissionDenied',
      hint: 'choose another directory: --dir DIR',
      cause,
    },
  );
}
