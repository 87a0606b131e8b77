import { type FileHandle, open, readFile, unlink } from 'node:fs/promises';
import { errnoOf, GatewayError } from '../core/errors.ts';
import { collect, pack, type Contents } from '../system/backup/contents.ts';
import { seal } from '../system/backup/seal.ts';
import { directoriesIn, pathsOf } from '../system/directories.ts';
import { fileError } from '../system/files.ts';
import { type Context, EXIT, type Input } from './command.ts';
import { UsageError } from './failure.ts';
import { askPassphrase, checkStrength, generatePassphrase, passphraseIn } from './passphrase.ts';
import { show } from './report.ts';

/** `gateway backup FILE`. */
export async function writeBackup(input: Input, context: Context): Promise<number> {
  const file = input.argument('FILE');
  const paths = pathsOf(directoriesIn(context.root));
  const contents = await sayingWhoMay('backup', () => collect(paths, Date.now(), context.signal));
  const handle = await reserve(file);
  let isWritten = false;
  try {
    const passphrase = await newPassphrase(input, context);
    context.progress('encrypting');
    const sealed = await seal(pack(contents), passphrase);
    await fill(handle, file, sealed);
    isWritten = true;
    const result = describe(file, sealed.length, contents, input.has('generate') ? passphrase : null);
    show(context, result, () => wordsFor(result));
    return EXIT.ok;
  } finally {
    await handle.close();
    if (!isWritten) await unlink(file);
  }
}

/** A stick that lies is found out now, not on the day when the backup is needed. */
async function fill(handle: FileHandle, file: string, sealed: Uint8Array): Promise<void> {
  try {
    await handle.writeFile(sealed);
    await handle.sync();
    if ((await readFile(file)).equals(sealed)) return;
  } catch (error) {
    throw fileError(`${file} could not be written`, error);
  }
  throw new GatewayError(`${file} does not hold what was written to it`, {
    code: 'DiskFailed',
    hint: 'write the backup to another disk',
  });
}

interface Written {
  readonly file: string;
  readonly bytes: number;
  readonly devices: number;
  readonly keys: number;
  /** Only when it was made here. */
  readonly passphrase: string | null;
}

function describe(file: string, bytes: number, { state }: Contents, passphrase: string | null): Written {
  return { file, bytes, devices: state.devices.length, keys: Object.keys(state.keys).length, passphrase };
}

function wordsFor({ file, bytes, devices, keys, passphrase }: Written): string {
  const size = `${Math.ceil(bytes / 1024)} KiB: ${keys} keys, ${devices} devices, gateway.yaml`;
  const shown =
    passphrase === null
      ? []
      : [
          `\n    ${passphrase}\n`,
          'This passphrase is shown once. Without it the file cannot be opened: write it down, apart from the file.',
        ];
  return [
    `Written, readable by you alone: ${file} (${size}).`,
    ...shown,
    `Keep it off this machine. On a new one: gateway restore ${file}`,
  ].join('\n');
}

async function newPassphrase(input: Input, { signal }: Context): Promise<string> {
  const file = input.text('passphrase-file');
  if (input.has('generate')) {
    if (file !== undefined) throw new UsageError('--generate and --passphrase-file exclude each other');
    return generatePassphrase();
  }
  if (file !== undefined) return checkStrength(await passphraseIn(file));
  const typed = checkStrength(await askPassphrase('Passphrase for the backup: ', signal));
  if ((await askPassphrase('The same again: ', signal)) === typed) return typed;
  throw new UsageError('the two passphrases differ; nothing was written');
}

/** Made before the passphrase is asked for: a path that cannot be written is said first. */
async function reserve(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx', 0o600);
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw fileError(`${file} could not be written`, cause);
    throw new GatewayError(`${file} is there already and was not touched`, {
      code: 'AlreadyExists',
      hint: 'choose another file name, or remove it',
      cause,
    });
  }
}

/** Whoever may not read the files is told who may. */
export async function sayingWhoMay<Result>(command: string, task: () => Promise<Result>): Promise<Result> {
  try {
    return await task();
  } catch (cause) {
    if (!(cause instanceof GatewayError) || cause.code !== 'PermissionDenied') throw cause;
    const hint = `as root: sudo gateway ${command} FILE`;
    throw new GatewayError(cause.message, { code: cause.code, hint, cause });
  }
}
