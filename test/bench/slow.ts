import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';
const PERIOD_US = 100_000;

/** The task, and every program that it starts, gets this share of one core; `undefined` where that cannot be had. */
export async function onSlowCore<Result>(
  share: number,
  task: () => Promise<Result>,
): Promise<Result | undefined> {
  const top = existsSync(join(ROOT, 'cpu')) ? join(ROOT, 'cpu') : ROOT;
  const group = join(top, `gateway-bench-${process.pid}`);
  try {
    limit(top, group, Math.round(share * PERIOD_US));
  } catch (error) {
    process.stderr.write(`no core can be slowed down here: ${String(error)}\n`);
    return undefined;
  }
  writeFileSync(join(group, 'cgroup.procs'), String(process.pid));
  try {
    return await task();
  } finally {
    writeFileSync(join(top, 'cgroup.procs'), String(process.pid));
    process.once('exit', () => remove(group));
  }
}

/** Version 1 and 2 of control groups name it differently. */
function limit(top: string, group: string, quotaUs: number): void {
  if (top === ROOT) writeFileSync(join(top, 'cgroup.subtree_control'), '+cpu');
  mkdirSync(group, { recursive: true });
  if (top === ROOT) return writeFileSync(join(group, 'cpu.max'), `${quotaUs} ${PERIOD_US}`);
  writeFileSync(join(group, 'cpu.cfs_period_us'), String(PERIOD_US));
  writeFileSync(join(group, 'cpu.cfs_quota_us'), String(quotaUs));
}

/** Fails while something lives in it; the lab has been stopped by now. */
function remove(group: string): void {
  try {
    rmdirSync(group);
  } catch {
    process.stderr.write(`${group} stays: something still runs in it\n`);
  }
}
