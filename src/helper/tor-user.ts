import type { Argv } from '../system/run.ts';
import type { UserIds } from './environment.ts';

/** What stands before a command that runs as tor's user: no other groups, no capabilities, no way back. */
export function asTor({ uid, gid }: UserIds): Argv {
  return [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--no-new-privs',
    '--inh-caps=-all',
    '--bounding-set=-all',
    '--',
  ];
}
