import { readFile } from 'node:fs/promises';
import { GatewayError } from '../core/errors.ts';
import { unpack, type Contents } from '../system/backup/contents.ts';
import { place, type Owner } from '../system/backup/place.ts';
import { examineSeal, unseal } from '../system/backup/seal.ts';
import { directoriesIn, pathsOf, type Directories } from '../system/directories.ts';
import { fileError } from '../system/files.ts';
import { makeDirectories } from '../system/make-directories.ts';
import { lookUpGroup, lookUpUser } from '../system/users.ts';
import { sayingWhoMay } from './backup.ts';
import { type Context, EXIT, type Input } from './command.ts';
import { isAnswered } from './find-socket.ts';
import { askPassphrase, passphraseIn } from './passphrase.ts';
import { show } from './report.ts';

/** `gateway restore FILE`. */
export async function restoreBackup(input: Input, context: Context): Promise<number> {
  const directories = directoriesIn(context.root);
  const paths = pathsOf(directories);
  const sealed = await read(input.argument('FILE'));
  examineSeal(sealed, input.argument('FILE'));
  if (await isAnswered(paths.apiSocket)) throw running(paths.apiSocket);
  const contents = await openSealed(sealed, input, context);
  const options = { directories, paths, isForced: input.has('force'), now: Date.now() };
  const kept = await sayingWhoMay('restore', async () =>
    place(contents, { ...options, owner: await newOwner(directories) }),
  );
  const { madeAt, state } = contents;
  const result = { madeAt, devices: state.devices.length, keys: Object.keys(state.keys).length, kept };
  show(context, result, () =>
    [
      `The gateway of ${madeAt} is back: ${result.keys} keys, ${result.devices} devices.`,
      ...kept.map((path) => `What was there before: ${path}`),
      'Make sure that the machine it comes from is off, then start this one: gateway up',
    ].join('\n'),
  );
  return EXIT.ok;
}

async function openSealed(sealed: Uint8Array, input: Input, { signal }: Context): Promise<Contents> {
  const file = input.argument('FILE');
  const holder = input.text('passphrase-file');
  const passphrase =
    holder === undefined
      ? await askPassphrase(`Passphrase of ${file}: `, signal)
      : await passphraseIn(holder);
  return unpack(await unseal(sealed, passphrase, file), file);
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw fileError(`${file} could not be read`, error);
  }
}

/** Root gives keys and state to the daemon's user; anybody else keeps what they write. */
async function newOwner(directories: Directories): Promise<Owner | undefined> {
  if (process.geteuid?.() !== 0) return undefined;
  await makeDirectories(directories, await lookUpGroup('gateway'));
  return await lookUpUser('gateway');
}

function running(socket: string): GatewayError {
  return new GatewayError(
    `a gateway runs with these directories (it answers on ${socket}); nothing was changed`,
    {
      code: 'AlreadyRunning',
      retry: 'never',
      hint: 'take it down first: gateway down; or restore into other directories with --root',
    },
  );
}
