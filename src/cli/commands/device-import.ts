import { open, readFile } from 'node:fs/promises';
import type { DeviceDraft, Enrolled } from '../../core/control.ts';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { quote } from '../../core/name.ts';
import { type ImportedPeer, type ImportedPeers, parsePeers } from '../../wire/wireguard-import.ts';
import { type Command, type Context, EXIT, type Input } from '../command.ts';
import { UsageError } from '../failure.ts';
import { servicesOption } from '../parse.ts';
import { show } from '../report.ts';
import { type NewFile, reserveIn } from '../site-files.ts';
import { table } from '../table.ts';
import { plain } from '../terminal.ts';

const MOST_BYTES = 4 * 1024 * 1024;

export const deviceImport: Command = {
  name: 'device import',
  summary: 'Add the peers of wg-easy or of wg-quick as devices',
  details: [
    'Reads wg0.json of wg-easy up to 14, wg-easy.db of wg-easy 15, or the wg0.conf of wg-quick. Each peer becomes a device of the same name, which reaches the services that you name and nothing else. What it becomes, and what cannot carry over, is shown before anything is changed; --dry-run ends there.',
    'Addresses, the old server’s key and its preshared keys are of that server, so each device needs a new configuration in any case: NAME.conf and the code NAME.png are written into --dir. By default its key pair is new too; with --keep-keys it keeps its own, and the file, in which the private key is missing, is for who adds that by hand.',
  ],
  arguments: [{ name: 'FILE', completion: 'file', summary: 'wg0.json, wg-easy.db or wg0.conf' }],
  options: [
    servicesOption('A service that they may reach; may be repeated'),
    { name: 'dir', value: 'DIR', completion: 'file', summary: 'Where the new configurations are written' },
    { name: 'keep-keys', summary: 'Each device keeps its own key pair' },
    { name: 'dry-run', summary: 'Only show what would be done' },
  ],
  examples: ['gateway device import wg0.json --service shop --dir codes --dry-run'],
  run: async (input, context) => {
    const services = input.list('service');
    if (services.length === 0) {
      throw new UsageError('--service is missing', 'name each service that they may reach: --service shop');
    }
    const found = await readPeers(input.argument('FILE'));
    if (!context.isJson) context.terminal.print(describe(found, services, input.has('keep-keys')));
    if (input.has('dry-run')) {
      show(context, { ...found, devices: [], failed: [] }, () => 'Nothing was changed.');
      return EXIT.ok;
    }
    return await addAll(found, services, input, context);
  },
};

async function addAll(
  found: ImportedPeers,
  services: readonly string[],
  input: Input,
  context: Context,
): Promise<number> {
  const directory = input.text('dir');
  if (directory === undefined) {
    throw new UsageError('--dir is missing', 'name a directory for the new configurations: --dir codes');
  }
  const isKept = input.has('keep-keys');
  const client = await context.client();
  const endings = isKept ? ['conf'] : ['conf', 'png'];
  const names = found.peers.flatMap(({ name }) => endings.map((ending) => `${name}.${ending}`));
  const files = await reserveIn(directory, names);
  const devices: string[] = [];
  const failed: string[] = [];
  try {
    for (const { name, publicKey } of found.peers) {
      const draft: DeviceDraft = { name, services, ...(isKept ? { publicKey } : {}) };
      try {
        const send = client.send<Enrolled>('POST', '/v1/devices', draft, context.progress, context.signal);
        const text = confOf(await send);
        await files.fill(await filesFor(name, text, isKept));
        devices.push(name);
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
        failed.push(`${name}: ${error.message}`);
      }
    }
  } finally {
    await files.release();
  }
  show(context, { ...found, devices, failed }, () =>
    [
      `${devices.length} added; their files, readable by you alone, are in ${directory}.`,
      ...failed.map((words) => `! ${plain(words)}`),
    ].join('\n'),
  );
  return failed.length === 0 ? EXIT.ok : EXIT.warnings;
}

/** A code without the private key is of no use. */
async function filesFor(name: string, text: string, isKept: boolean): Promise<NewFile[]> {
  const conf = { name: `${name}.conf`, text };
  if (isKept) return [conf];
  const { pngQr } = await import('../qr.ts');
  return [conf, { name: `${name}.png`, text: pngQr(text) }];
}

function confOf({ handouts, device }: Enrolled): string {
  const conf = handouts.find(({ kind }) => kind === 'wireguard-config');
  if (conf !== undefined) return conf.text;
  throw new GatewayError(`the services of ${device.name} are not exposed through WireGuard`, {
    code: 'NotSupported',
  });
}

function describe({ peers, left }: ImportedPeers, services: readonly string[], isKept: boolean): string {
  const row = ({ name, was, address }: ImportedPeer): string[] => [
    name,
    was === '' ? '–' : quote(was),
    address === '' ? '–' : quote(address),
    isKept ? 'its own' : 'new',
  ];
  return [
    ...table(['DEVICE', 'WAS CALLED', 'WAS AT', 'KEY'], peers.map(row)),
    ...left.map((words) => `left out: ${quote(words)}`),
    '',
    `Each will reach ${services.join(', ')} and nothing else. Its address, the server’s key and the preshared key are new:`,
    'the old configuration does not work here, and each device needs its new one.',
  ].join('\n');
}

async function readPeers(path: string): Promise<ImportedPeers> {
  // Loaded only now: SQLite costs every command its time.
  const { readWgEasy, SQLITE_MAGIC } = await import('../../system/wg-easy.ts');
  const text = await readSmall(path, SQLITE_MAGIC);
  return text === undefined ? readWgEasy(path) : parsePeers(text);
}

/** `undefined`: it is a database, which begins with `magic`. */
async function readSmall(path: string, magic: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const { buffer } = await file.read(Buffer.alloc(magic.length), 0, magic.length, 0);
      if (buffer.toString('latin1') === magic) return undefined;
      if (size > MOST_BYTES) throw new Error(`it has more than ${MOST_BYTES} bytes`);
      const bytes = await readFile(path);
      if (bytes.includes(0)) throw new Error('it is no text');
      return bytes.toString('utf8');
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new GatewayError(`${path} cannot be read: ${messageOf(cause)}`, { code: 'InvalidRequest', cause });
  }
}
