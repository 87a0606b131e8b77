import { existsSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, type Dirent } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Users of a node, beside those of the machine. Numbers stay below 65536, which is what a lab maps. */
export const USERS = { gateway: 64_640, 'gateway-tor': 64_641, 'gateway-edge': 64_642 } as const;

export interface NodeFiles {
  readonly name: string;
  /** Folder of the node that only the lab uses. */
  readonly hidden: string;
  readonly resolver: string | undefined;
  readonly searchDomain: string | undefined;
}

/** Where a node sees the machine's own /etc. */
const MACHINE_ETC = '/run/machine-etc';

/** What a node has of its own; the rest of /etc is the machine's, read-only. */
const OWN = [
  'passwd',
  'group',
  'hostname',
  'hosts',
  'resolv.conf',
  'nsswitch.conf',
  'gateway',
  'netns',
  'wireguard',
];

/** Prepares a node's /etc and /var, which outlive its power cut; leaves alone what is there from an earlier start. */
export async function writeNodeFiles({ name, hidden, resolver, searchDomain }: NodeFiles): Promise<void> {
  const etc = join(hidden, 'etc');
  if (existsSync(etc)) return;
  const folders = ['etc/netns', 'var/lib', 'var/cache', 'var/log', 'var/tmp'];
  for (const folder of folders) mkdirSync(join(hidden, folder), { recursive: true });
  symlinkSync('/run', join(hidden, 'var', 'run'));
  symlinkSync('/run/lock', join(hidden, 'var', 'lock'));
  for (const entry of readdirSync('/etc', { withFileTypes: true })) {
    if (!OWN.includes(entry.name)) symlinkSync(linkTo(entry), join(etc, entry.name));
  }
  const search = searchDomain === undefined ? '' : `search ${searchDomain}\n`;
  const files: Record<string, string> = {
    passwd: withUsers(await readFile('/etc/passwd', 'utf8')),
    group: withGroups(await readFile('/etc/group', 'utf8')),
    hostname: `${name}\n`,
    hosts: `127.0.0.1 localhost ${name}\n`,
    // One name server, or none: never the machine's.
    'resolv.conf': resolver === undefined ? '' : `${search}nameserver ${resolver}\n`,
    'nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n',
  };
  await Promise.all(Object.entries(files).map(([file, text]) => writeFile(join(etc, file), text)));
}

/** Links are copied: `../usr/lib/os-release` means something only in /etc. */
function linkTo(entry: Dirent): string {
  return entry.isSymbolicLink() ? readlinkSync(join('/etc', entry.name)) : join(MACHINE_ETC, entry.name);
}

function withUsers(passwd: string): string {
  const lines = Object.entries(USERS).map(
    ([user, id]) => `${user}:x:${id}:${id}::/nonexistent:/usr/sbin/nologin`,
  );
  return `${[...withoutOurs(passwd), ...lines].join('\n')}\n`;
}

function withGroups(group: string): string {
  // The daemon opens tor's sockets, which belong to tor's group.
  const lines = [
    `gateway:x:${USERS.gateway}:`,
    `gateway-tor:x:${USERS['gateway-tor']}:gateway`,
    `gateway-edge:x:${USERS['gateway-edge']}:`,
  ];
  return `${[...withoutOurs(group), ...lines].join('\n')}\n`;
}

function withoutOurs(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !Object.hasOwn(USERS, line.split(':')[0] ?? ''));
}
