import { readdirSync, readFileSync } from 'node:fs';
import { errnoOf } from '../core/errors.ts';

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/PID/stat. */
  readonly startTime: number;
}

interface Stat {
  readonly name: string;
  readonly state: string;
  readonly parent: number;
  readonly startTime: number;
}

/** `undefined` when there is no such process. */
function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name (field 2) may hold spaces and parentheses.
    const end = text.lastIndexOf(')');
    const fields = text.slice(end + 2).split(' ');
    const name = text.slice(text.indexOf('(') + 1, end);
    return { name, state: fields[0] ?? '', parent: Number(fields[1]), startTime: Number(fields[19]) };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

export function identify(pid: number): ProcessId | undefined {
  const stat = statOf(pid);
  return stat === undefined ? undefined : { pid, startTime: stat.startTime };
}

/** A zombie is dead: who started it may be slow to collect it. */
export function isAlive({ pid, startTime }: ProcessId): boolean {
  const stat = statOf(pid);
  return stat !== undefined && stat.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/** Children of each process. One look at /proc: `/proc/PID/task/PID/children` is not in every kernel. */
export function childrenByParent(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
    if (stat !== undefined) children.set(stat.parent, [...(children.get(stat.parent) ?? []), pid]);
  }
  return children;
}

/** Sends SIGKILL; a process that is gone already is what was wanted. */
export function killNow({ pid, startTime }: ProcessId): void {
  if (!isAlive({ pid, startTime })) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/**
 * nsenter stops itself when its child is stopped, and sleeps on when that child is killed: so nobody collects the child,
 * and the kernel does not end the namespace that it was in.
 */
export function wakeCollectors(): void {
  for (const [parent, children] of childrenByParent()) {
    const stat = statOf(parent);
    if (stat?.name !== 'nsenter' || stat.state !== 'T') continue;
    if (!children.some((child) => statOf(child)?.state === 'Z')) continue;
    try {
      process.kill(parent, 'SIGCONT');
    } catch (error) {
      // Somebody else's is none of ours.
      if (!isGone(error) && errnoOf(error) !== 'EPERM') throw error;
    }
  }
}

function isGone(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ESRCH';
}
