import { join } from 'node:path';

/** Where an installation lives; `top` is '/' or, for tests and packages, a folder that stands for it. */
export function layoutIn(top: string) {
  const prefix = '/opt/gateway';
  const share = '/usr/local/share';
  return {
    top,
    prefix,
    versions: join(prefix, 'versions'),
    current: join(prefix, 'current'),
    /** What was made, for whoever removes it. */
    manifest: join(prefix, 'installed.json'),
    command: '/usr/local/bin/gateway',
    units: '/etc/systemd/system',
    /** ip-netns(8): the helper writes there, and a directory of the system is not its own to remove. */
    resolverFiles: '/etc/netns',
    temporaryFiles: '/etc/tmpfiles.d/gateway.conf',
    completions: {
      bash: join(share, 'bash-completion/completions/gateway'),
      zsh: join(share, 'zsh/site-functions/_gateway'),
      fish: join(share, 'fish/vendor_completions.d/gateway.fish'),
    },
    manual: join(share, 'man/man1/gateway.1'),
    /** The real place of a path of the installation. */
    at: (path: string): string => join(top, path),
  };
}
export type Layout = ReturnType<typeof layoutIn>;
