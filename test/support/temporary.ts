import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Short: sockets lie below, and their paths end at 108 bytes. */
const PREFIX = 'gwt-';
const OWNER = /^gwt-(\d+)-/;
const TOP = process.env['TMPDIR'] ?? '/tmp';

/**
 * One folder for everything that the tests of this run write outside of their labs, and away with those of runs that were
 * killed. Its name has the process that made it.
 */
export function temporaryFolder(): string {
  for (const name of readdirSync(TOP)) {
    const owner = OWNER.exec(name)?.[1];
    if (owner !== undefined && !isTestRun(owner)) rmSync(join(TOP, name), { recursive: true, force: true });
  }
  const folder = mkdtempSync(join(TOP, `${PREFIX}${process.pid}-`));
  // Other users of a test's machine write below, as in /tmp.
  chmodSync(folder, 0o1777);
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A process of that id that is no run of ours has its number by chance. */
function isTestRun(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('vitest');
  } catch {
    return false;
  }
}
