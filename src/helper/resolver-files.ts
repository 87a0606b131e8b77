import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../core/errors.ts';
import { fileError, removeFile } from '../system/files.ts';
import type { HelperEnvironment } from './environment.ts';

/** `ip netns exec` (used by `service run` alone) lays these files over those of /etc. */
const DIRECTORY = '/etc/netns';

/** A service asks nobody for names, so that no query can name it outside. */
const FILES: Readonly<Record<string, string>> = {
  'resolv.conf': '# A service of the gateway reaches nothing, so there is no name server.\n',
  'nsswitch.conf':
    'passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\nprotocols: files\n',
};

/** In a lab without root /etc is not ours; there the files are left out, and the walls of the namespace still stand. */
const NOT_OURS: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS']);

export async function writeResolverFiles(netns: string, environment: HelperEnvironment): Promise<void> {
  const directory = join(DIRECTORY, netns);
  try {
    await mkdir(directory, { recursive: true, mode: 0o755 });
    for (const [file, content] of Object.entries(FILES)) await writeFile(join(directory, file), content);
  } catch (error) {
    if (!NOT_OURS.has(errnoOf(error))) throw fileError(`${directory} could not be written`, error);
    environment.log('warn', 'no resolv.conf of its own for a namespace: /etc is not writable', { directory });
  }
}

export async function removeResolverFiles(netns: string, environment: HelperEnvironment): Promise<void> {
  const directory = join(DIRECTORY, netns);
  try {
    for (const file of Object.keys(FILES)) await removeFile(join(directory, file));
    await rmdir(directory);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return;
    if (errno !== 'ENOTEMPTY' && !NOT_OURS.has(errno))
      throw fileError(`${directory} could not be removed`, error);
    environment.log('warn', 'a directory of a namespace stays', { directory, errno });
  }
}
