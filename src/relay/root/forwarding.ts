import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readFileIfExists, removeFile, writeFileAtomic } from '../../system/files.ts';
import { readSysctls, setSysctls } from '../../system/netns.ts';
import type { RelayPlaces } from '../places.ts';

/** What the kernel's settings were before us: put back when the relay leaves the machine. */
const Before = z.record(z.string(), z.number());
type Before = z.infer<typeof Before>;
const FILE = 'settings-before.json';
const V4 = 'net.ipv4.ip_forward';
const V6 = 'net.ipv6.conf.all.forwarding';

export async function hasIpv6(): Promise<boolean> {
  return ((await readFileIfExists('/proc/net/if_inet6'))?.length ?? 0) > 0;
}

/**
 * Lets packets for ports through this machine. Resolves with whether nothing was forwarded here before: then nothing but
 * ours may be now.
 */
export async function ensureForwarding({ root }: RelayPlaces, signal: AbortSignal): Promise<boolean> {
  const path = join(root, FILE);
  const before = await readBefore(path);
  const wanted = await wantedSettings();
  const keys = Object.keys(wanted);
  const now = (await readSysctls(undefined, keys, signal)).map(Number);
  const changed = keys.filter((key, index) => now[index] !== wanted[key]);
  if (changed.length > 0) {
    // Written first: of what is changed by us it must be known what it was.
    const found = changed.map((key) => [key, now[keys.indexOf(key)] ?? 0] as const);
    const kept = { ...Object.fromEntries(found), ...before };
    await writeFileAtomic(path, JSON.stringify(kept), { mode: 0o600 });
    await setSysctls(undefined, wanted, signal);
    return kept[V4] === 0;
  }
  return before[V4] === 0;
}

async function wantedSettings(): Promise<Before> {
  if (!(await hasIpv6())) return { [V4]: 1 };
  const root = '/proc/sys/net/ipv6/conf';
  const wanted: Before = { [V4]: 1 };
  for (const name of await readdir(root)) {
    // A router takes no routes from routers, unless it is told to: a rented machine may have its own that way.
    const takes = (await readFileIfExists(join(root, name, 'accept_ra')))?.toString().trim();
    if (takes === '1' && !['all', 'default', 'lo'].includes(name) && !name.includes('.')) {
      wanted[`net.ipv6.conf.${name}.accept_ra`] = 2;
    }
  }
  return { ...wanted, [V6]: 1 };
}

export async function restoreSettings({ root }: RelayPlaces, signal: AbortSignal): Promise<void> {
  const path = join(root, FILE);
  const before = await readBefore(path);
  if (Object.keys(before).length > 0) await setSysctls(undefined, before, signal);
  await removeFile(path);
}

async function readBefore(path: string): Promise<Before> {
  const text = (await readFileIfExists(path))?.toString();
  return text === undefined ? {} : Before.parse(JSON.parse(text));
}
