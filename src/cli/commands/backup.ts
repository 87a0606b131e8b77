import type { Command, Option } from '../command.ts';

const PASSPHRASE_FILE: Option = {
  name: 'passphrase-file',
  value: 'FILE',
  completion: 'file',
  summary: 'Take the passphrase from the first line of FILE instead of asking',
};
const FILE_ACCESS =
  'It works on the files themselves, so it needs root, or the user whom they belong to; the passphrase protects only the file that leaves the machine.';

export const backup: Command = {
  name: 'backup',
  summary: 'Write keys, state and gateway.yaml into one encrypted file',
  details: [
    FILE_ACCESS,
    'The file holds every key: whoever has it and its passphrase is this gateway. Events and what the services themselves store are not in it. Works while the gateway runs; an existing file is kept.',
  ],
  arguments: [{ name: 'FILE', completion: 'file', summary: 'The file to write; it must not exist yet' }],
  options: [PASSPHRASE_FILE, { name: 'generate', summary: 'Make a passphrase, and show it once' }],
  examples: ['sudo gateway backup --generate /media/usb/gateway.backup'],
  run: async (input, context) => {
    const { writeBackup } = await import('../backup.ts');
    return await writeBackup(input, context);
  },
};

export const restore: Command = {
  name: 'restore',
  summary: 'Bring a gateway back from a file that "gateway backup" wrote',
  details: [
    FILE_ACCESS,
    'Everything is verified before anything is written. Then: gateway up. Addresses, keys and devices are those of the backup; a device that was revoked after it was made gets in again, so revoke it again.',
    'The machine that the backup is from must not run any more: two gateways with one set of keys take the visitors from each other.',
  ],
  arguments: [{ name: 'FILE', completion: 'file', summary: 'The backup' }],
  options: [
    PASSPHRASE_FILE,
    { name: 'force', summary: 'Where a gateway lives already: put its files aside, into before-restore-…' },
  ],
  run: async (input, context) => {
    const { restoreBackup } = await import('../restore.ts');
    return await restoreBackup(input, context);
  },
};
