import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Handout } from '../core/contract.ts';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';
import type { Option } from './command.ts';

export const ONION_DIR: Option = {
  name: 'onion-dir',
  value: 'DIR',
  completion: 'file',
  summary: 'Write the onion keys as NAME-SERVICE.auth_private, for a tor with ClientOnionAuthDir DIR',
};

export interface OnionFiles {
  /** Writes each key file under its own name; resolves with the paths. */
  fill(handouts: readonly Handout[]): Promise<readonly string[]>;
  release(): Promise<void>;
}

/**
 * A directory for key files, ready to be a tor's ClientOnionAuthDir. It is tried before keys are made: what is shown once
 * must not be lost because a file could not be written.
 */
export async function reserveOnionFiles(directory: string | undefined): Promise<OnionFiles> {
  if (directory === undefined) {
    return { fill: () => Promise.resolve([]), release: () => Promise.resolve() };
  }
  const trial = join(directory, '.gateway-trial');
  try {
    await makeDirectory(directory);
    await (await open(trial, 'w', 0o600)).close();
  } catch (error) {
    throw unwritable(directory, error);
  }
  return {
    fill: async (handouts) => {
      const files = handouts.filter(({ kind }) => kind === 'onion-key-file');
      const paths: string[] = [];
      for (const { file, text } of files) paths.push(await write(directory, file, text));
      return paths;
    },
    release: () => rm(trial, { force: true }),
  };
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/** The old key of a device of this name works no more: its file may be replaced. */
async function write(directory: string, name: string, text: string): Promise<string> {
  const path = join(directory, name);
  let handle: FileHandle | undefined;
  try {
    await rm(path, { force: true });
    handle = await open(path, 'wx', 0o600);
    await handle.writeFile(text.endsWith('\n') ? text : `${text}\n`);
    await handle.sync();
    return path;
  } catch (error) {
    throw unwritable(path, error);
  } finally {
    await handle?.close();
  }
}

function unwritable(path: string, cause: unknown): GatewayError {
  return new GatewayError(`${path} cannot be written: ${messageOf(cause)}`, {
    code: 'PermissionDenied',
    cause,
  });
}
