import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../core/errors.ts';

/** Proportional set size of every process in the same user namespace as `pid`, in MiB: shared pages counted once. */
export function memoryOfNamespace(pid: number): number {
  const mine = readlinkSync(`/proc/${pid}/ns/user`);
  const kibibytes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => pssOf(name, mine))
    .reduce((sum, value) => sum + value, 0);
  return Math.round(kibibytes / 1024);
}

/** In KiB; 0 for a process of somebody else, or one that ended while we looked. */
function pssOf(pid: string, userNamespace: string): number {
  try {
    if (readlinkSync(`/proc/${pid}/ns/user`) !== userNamespace) return 0;
    return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return 0;
    throw error;
  }
}
