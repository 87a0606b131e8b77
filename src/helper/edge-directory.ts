import { join } from 'node:path';
import type { HelperEnvironment } from './environment.ts';
import { ensureOwned, openOwned } from './owned-directory.ts';

/**
 *   lib/edge/   root   0750   haproxy.cfg, haproxy.log
 *   run/edge/   edge   0700   haproxy.sock, pid: whoever may write to the socket may redirect every connection
 *   run/handouts/   gateway:edge   0710   socket of the daemon: whoever connects to it may claim to be any visitor
 *
 * Reached through an open descriptor, as tor's: the directory above belongs to the daemon's user.
 */
export interface EdgeDirectory {
  /** `/proc/self/fd/N`: only for our own process. */
  readonly base: string;
}

export async function inEdgeDirectory<Result>(
  { paths, edge }: HelperEnvironment,
  work: (directory: EdgeDirectory) => Promise<Result>,
): Promise<Result> {
  const root = { uid: process.getuid?.() ?? 0, gid: edge.gid };
  const top = await openOwned(paths.edgeState, root, 0o750);
  try {
    return await work({ base: `/proc/self/fd/${top.fd}` });
  } finally {
    await top.close();
  }
}

export async function ensureEdgeRun({ paths, edge }: HelperEnvironment): Promise<void> {
  await ensureOwned(paths.edgeRun, edge, 0o700);
  // Also where nobody comes by an onion yet: systemd lets it write there only if it is there at the start.
  await ensureOwned(paths.onionDoors, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }, 0o755);
}

/** The configuration's path as HAProxy's own process sees it. */
export function edgeConfigFile({ paths }: HelperEnvironment): string {
  return join(paths.edgeState, 'haproxy.cfg');
}

export function ensureHandoutRun({ paths, gateway, edge }: HelperEnvironment): Promise<void> {
  return ensureOwned(paths.handoutRun, { uid: gateway.uid, gid: edge.gid }, 0o710);
}
