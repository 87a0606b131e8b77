import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Users of a node, beside those of the machine. Numbers stay below 65536, which is what a lab maps. */
export const USERS = { gateway: 64_640, 'gateway-tor': 64_641 } as const;

export interface NodeFiles {
  readonly name: string;
  /** Folder of the node that only the lab uses. */
  readonly hidden: string;
  readonly resolver: string | undefined;
  readonly searchDomain: string | undefined;
}

/** Prepares what a node lays over /etc and /var: they outlive its power cut. Does nothing to what is there already. */
export async function writeNodeFiles({ name, hidden, resolver, searchDomain }: NodeFiles): Promise<void> {
  const etc = join(hidden, 'etc');
  // Made here, and not by the node: a folder of the machine's root cannot be copied up where only one id is mapped.
  const folders = ['etc/netns', 'etc.work', 'var/lib', 'var/cache', 'var/log', 'var/tmp', 'var.work'];
  await Promise.all(folders.map((folder) => mkdir(join(hidden, folder), { recursive: true })));
  const files: Record<string, string> = {
    passwd: withUsers(await readFile('/etc/passwd', 'utf8')),
    group: withGroups(await readFile('/etc/group', 'utf8')),
    hostname: `${name}\n`,
    hosts: `127.0.0.1 localhost ${name}\n`,
    // One name server, or none: never the machine's.
    'resolv.conf': `${searchDomain === undefined ? '' : `search ${searchDomain}\n`}${resolver === undefined ? '' : `nameserver ${resolver}\n`}`,
    'nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n',
  };
  await Promise.all(Object.entries(files).map(([file, text]) => writeFile(join(etc, file), text)));
}

function withUsers(passwd: string): string {
  const lines = Object.entries(USERS).map(
    ([user, id]) => `${user}:x:${id}:${id}::/nonexistent:/usr/sbin/nologin`,
  );
  return `${[...withoutOurs(passwd), ...lines].join('\n')}\n`;
}

function withGroups(group: string): string {
  // The daemon opens tor's sockets, which belong to tor's group.
  const lines = [`gateway:x:${USERS.gateway}:`, `gateway-tor:x:${USERS['gateway-tor']}:gateway`];
  return `${[...withoutOurs(group), ...lines].join('\n')}\n`;
}

function withoutOurs(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !Object.hasOwn(USERS, line.split(':')[0] ?? ''));
}
