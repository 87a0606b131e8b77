import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { fileError } from '../system/files.ts';
import { torrcLines } from '../wire/torrc.ts';
import type { HelperEnvironment } from './environment.ts';

export interface OwnLine {
  /** The file, for people: 'torrc.d/bridges.conf' */
  readonly place: string;
  readonly line: string;
}

const MAX_BYTES = 64 * 1024;

/**
 * The owner's own torrc lines, from `torrc.d/*.conf` beside gateway.yaml, in the order of their names. Taken over as
 * text, not by `%include`: so what was verified is what is loaded, and tor needs no access to the config directory.
 */
export async function readOwnLines({ paths, gateway }: HelperEnvironment): Promise<OwnLine[]> {
  const directory = paths.torrcDirectory;
  const names = (await list(directory)).filter((name) => name.endsWith('.conf')).sort();
  const texts = await Promise.all(names.map((name) => readOwned(join(directory, name), gateway.uid)));
  return texts.flatMap((text, index) =>
    torrcLines(text).map((line) => ({ place: `torrc.d/${names[index]}`, line })),
  );
}

export function textOf(own: readonly OwnLine[]): string[] {
  return own.map(({ line }) => line);
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw fileError(`${directory} could not be read`, error);
  }
}

/** The daemon may write here, and must not be able to have root read a file of somebody else: no links of any kind. */
async function readOwned(path: string, gatewayUid: number): Promise<string> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      const isOwned = stat.uid === gatewayUid || stat.uid === process.getuid?.();
      if (!stat.isFile() || stat.nlink !== 1 || stat.size > MAX_BYTES || !isOwned) throw refused(path);
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') throw refused(path);
    throw fileError(`${path} could not be read`, error);
  }
}

function refused(path: string): GatewayError {
  return new GatewayError(
    `${path} is not read: it must be an ordinary file of root's or the gateway's, not a link`,
    {
      code: 'ConfigInvalid',
      retry: 'when-changed',
      hint: `copy it into place: at most ${MAX_BYTES / 1024} KiB`,
    },
  );
}
