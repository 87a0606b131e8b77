import { access } from 'node:fs/promises';
import { release } from 'node:os';
import { errnoOf } from '../../core/errors.ts';
import type { Machine } from '../../doctor/world.ts';
import { readText } from './text.ts';

export async function machine(): Promise<Machine> {
  return { isRoot: process.getuid?.() === 0, container: await containerKind(), kernel: release() };
}

/** What each kind of container leaves where programs inside can see it. */
async function containerKind(): Promise<string | undefined> {
  if (await isThere('/.dockerenv')) return 'Docker';
  if (await isThere('/run/.containerenv')) return 'podman';
  // systemd.exec(5): set by nspawn, LXC and others for the first process; readable by root alone.
  const named = /(?:^|\0)container=([^\0]{1,40})/.exec((await readText('/proc/1/environ')) ?? '')?.[1];
  return named ?? (((await readText('/run/systemd/container')) ?? '').trim() || undefined);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}
