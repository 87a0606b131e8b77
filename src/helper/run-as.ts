import type { Argv } from '../system/run.ts';
import type { UserIds } from './environment.ts';

/** A capability as setpriv calls it. */
export type Capability = 'net_bind_service';

/** What stands before a command that runs as another user: no other groups, no capabilities but `kept`, no way back. */
export function asUser({ uid, gid }: UserIds, kept: readonly Capability[] = []): Argv {
  const capabilities = ['-all', ...kept.map((capability) => `+${capability}`)].join(',');
  return [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--no-new-privs',
    `--inh-caps=${capabilities}`,
    ...(kept.length === 0 ? [] : [`--ambient-caps=${capabilities}`]),
    `--bounding-set=${capabilities}`,
    '--',
  ];
}
