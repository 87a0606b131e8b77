import type { Command, Option } from '../command.ts';

const DESTDIR: Option = {
  name: 'destdir',
  value: 'DIR',
  completion: 'file',
  summary: 'Write below DIR, for a package; no users, no systemd',
};

export const install: Command = {
  name: 'install',
  summary: 'Install this program on this machine, and start it with the machine',
  details: [
    'Copies it to /opt/gateway/versions, makes the users gateway, gateway-tor and gateway-edge, and writes units for systemd, shell completion and the manual. Units of the distribution (tor, haproxy) stay as they are. Doing it again does only what is missing.',
    'Services of the machine that run in a namespace of the gateway can be ordered After=gateway.service: it is started when the namespaces exist.',
  ],
  arguments: [],
  options: [
    { name: 'dry-run', summary: 'Only say what would be done' },
    { name: 'no-start', summary: 'Do not start it now' },
    DESTDIR,
  ],
  examples: ['sudo gateway install --dry-run', 'sudo gateway install'],
  run: async (input, context) => (await import('../install/run.ts')).install(input, context),
};

export const upgrade: Command = {
  name: 'upgrade',
  summary: 'Replace the installed program by another version; ways in stay open',
  details: [
    'The new version is put beside the old one and takes its place in one step. When it does not get healthy, the old one is put back and runs again.',
  ],
  arguments: [
    {
      name: 'DIR_OR_TARBALL',
      completion: 'file',
      summary: 'A folder in which bin/setup was run, or a tarball of one',
    },
  ],
  options: [],
  run: async (input, context) => (await import('../install/upgrade.ts')).upgrade(input, context),
};

export const uninstall: Command = {
  name: 'uninstall',
  summary: 'Close every way in and remove what "gateway install" made',
  details: ['Keys, state and gateway.yaml stay, with the users that own them, unless --purge removes them.'],
  arguments: [],
  options: [{ name: 'purge', summary: 'Also remove keys, state, gateway.yaml and the users' }, DESTDIR],
  run: async (input, context) => (await import('../install/uninstall.ts')).uninstall(input, context),
};
