import { access, constants, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../../core/errors.ts';
import type { Disk } from '../../doctor/world.ts';

/** One for each file system that holds any of these. */
export async function disksOf(directories: readonly string[]): Promise<Disk[]> {
  const disks = (await Promise.all(directories.map(diskOf))).filter((disk) => disk !== undefined);
  return disks.filter(
    (disk, index) =>
      disks.findIndex(
        (other) => other.totalBytes === disk.totalBytes && other.freeBytes === disk.freeBytes,
      ) === index,
  );
}

/** A directory that is not there yet will be made on the disk of the nearest one above. */
async function diskOf(path: string): Promise<Disk | undefined> {
  try {
    const { bsize, bavail, blocks, ffree, files } = await statfs(path);
    return {
      path,
      freeBytes: bavail * bsize,
      totalBytes: blocks * bsize,
      freeFiles: ffree,
      totalFiles: files,
      isReadOnly: await isReadOnly(path),
    };
  } catch (error) {
    const isMissing = ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
    if (isMissing && path !== dirname(path)) return await diskOf(dirname(path));
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/** The kernel looks at the file system before it looks at rights: this holds for every user. */
async function isReadOnly(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK);
    return false;
  } catch (error) {
    return errnoOf(error) === 'EROFS';
  }
}
