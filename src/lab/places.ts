import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GatewayError } from '../core/errors.ts';

/** Where a lab finds and keeps things, outside. */

/** Every lab has a folder here. Short, because a unix socket's path ends at 107 bytes. */
export const LABS = '/tmp';
export const LAB_PREFIX = 'gwlab-';

/** Inside every node. */
export const GATEWAY_INSIDE = '/opt/gateway';
export const TOOLS_INSIDE = '/opt/gateway-tools';
export const PATH_INSIDE = `/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${TOOLS_INSIDE}/bin`;
export const NODE_INSIDE = `${GATEWAY_INSIDE}/node_modules/.bin/node`;

/** The folder that holds package.json, whether this runs from src/ or from dist/. */
export function gatewayFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new GatewayError('there is no package.json above the lab', { code: 'LabFailed' });
    folder = parent;
  }
  return folder;
}

function cacheFolder(): string {
  if (process.getuid?.() === 0) return '/var/cache/gateway';
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'gateway');
}

/** Unpacked programs, as bin/setup left them. */
export function toolsFolder(): string {
  return process.env['GATEWAY_TOOLS'] || join(cacheFolder(), 'tools');
}

/** Keys and consensus of the private Tor network, kept from lab to lab. */
export function labCacheFolder(): string {
  return process.env['GATEWAY_LAB_CACHE'] || join(cacheFolder(), 'lab');
}

/** The device node that becomes /dev/net/tun inside; another one where the machine's own is root's alone. */
export function tunDevice(): string {
  return process.env['GATEWAY_LAB_TUN'] || '/dev/net/tun';
}

/** The machine's PATH, the folders of root's programs, and the tools last. */
export function pathOutside(): string {
  return `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin:${join(toolsFolder(), 'bin')}`;
}

/** Environment of commands that the lab itself runs outside a node. */
export function environmentOutside(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: pathOutside() };
}
