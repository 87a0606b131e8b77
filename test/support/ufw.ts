import { cpSync, existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { TOOLS_INSIDE, toolsFolder } from '../../src/lab/places.ts';
import type { LabNode } from '../../src/lab/index.ts';

/** Where Debian's package lies: on the machine, or unpacked by bin/setup. */
const TOOLS = toolsFolder();
const UNPACKED = existsSync(join(TOOLS, 'bin')) ? join(realpathSync(join(TOOLS, 'bin')), '../root') : '';
const PACKAGE = ['/', UNPACKED].find((folder) => existsSync(join(folder, 'usr/share/ufw/ufw.conf')));

/** ufw calls these by their paths. */
export const hasUfw =
  PACKAGE !== undefined && existsSync('/usr/sbin/iptables-restore') && existsSync('/usr/bin/python3');

const MODULES = 'usr/lib/python3/dist-packages';
const PARTS = ['etc/default/ufw', 'etc/ufw', 'lib/ufw', 'usr/share/ufw'];

/** Debian's ufw on a node, with files of its own there; nothing is enabled yet. Runs one command line of it. */
export function installUfw(
  node: LabNode,
  signal: AbortSignal,
): (...words: readonly string[]) => Promise<string> {
  const from = PACKAGE ?? '/';
  const root = join(node.directory, 'ufw');
  for (const part of PARTS) {
    mkdirSync(join(root, part, '..'), { recursive: true });
    cpSync(join(from, part), join(root, part), { recursive: true, verbatimSymlinks: true });
  }
  // What its installation does.
  const share = join(root, 'usr/share/ufw');
  for (const folder of [share, join(share, 'iptables')]) {
    for (const name of readdirSync(folder)) {
      if (/^(ufw\.conf|.*\.init)$/.test(name) || (folder !== share && name.endsWith('.rules')))
        cpSync(join(folder, name), join(root, 'etc/ufw', name));
    }
  }
  const inside = from.replace(TOOLS, TOOLS_INSIDE);
  return async (...words) => {
    const argv = [
      '/usr/bin/python3',
      join(inside, 'usr/sbin/ufw'),
      `--rootdir=${root}`,
      `--datadir=${root}`,
    ] as const;
    const { stdout } = await node.run([...argv, ...words], {
      signal,
      env: { PYTHONPATH: join(inside, MODULES), PYTHONDONTWRITEBYTECODE: '1' },
    });
    return stdout;
  };
}
