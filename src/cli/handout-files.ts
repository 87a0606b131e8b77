import { type FileHandle, open, unlink } from 'node:fs/promises';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';
import type { Input, Option } from './command.ts';

/** `--png`, `--svg`, `--conf`: a handout as a file. */
export const FILE_OPTIONS: readonly Option[] = [
  {
    name: 'png',
    value: 'FILE',
    completion: 'file',
    summary: 'Write the code as a PNG image; an existing file is kept',
  },
  { name: 'svg', value: 'FILE', completion: 'file', summary: 'Write the code as an SVG image' },
  { name: 'conf', value: 'FILE', completion: 'file', summary: 'Write what the code says, as text' },
];

const FORMATS = ['png', 'svg', 'conf'] as const;
type Format = (typeof FORMATS)[number];

export interface ReservedFiles {
  readonly count: number;
  /** Writes the text in each format; resolves with the file names. */
  fill(text: string): Promise<readonly string[]>;
  /** Removes what was reserved and not filled. */
  release(): Promise<void>;
}

/**
 * Makes the files before the keys are made: what is shown once must not be lost because a file could not be written.
 * 0600, and never over a file that is there.
 */
export async function reserveFiles(input: Input): Promise<ReservedFiles> {
  const reserved: { format: Format; path: string; handle: FileHandle }[] = [];
  const release = async (): Promise<void> => {
    for (const { path, handle } of reserved.splice(0)) {
      await handle.close();
      await unlink(path);
    }
  };
  for (const format of FORMATS) {
    const path = input.text(format);
    if (path === undefined) continue;
    try {
      reserved.push({ format, path, handle: await open(path, 'wx', 0o600) });
    } catch (error) {
      await release();
      throw refused(path, error);
    }
  }
  return {
    count: reserved.length,
    fill: async (text) => {
      const paths: string[] = [];
      for (const { format, path, handle } of reserved.splice(0)) {
        await handle.writeFile(await encode(format, text));
        await handle.sync();
        await handle.close();
        paths.push(path);
      }
      return paths;
    },
    release,
  };
}

async function encode(format: Format, text: string): Promise<string | Uint8Array> {
  if (format === 'conf') return text.endsWith('\n') ? text : `${text}\n`;
  const { pngQr, svgQr } = await import('./qr.ts');
  return format === 'png' ? pngQr(text) : svgQr(text);
}

function refused(path: string, cause: unknown): GatewayError {
  if (errnoOf(cause) === 'EEXIST') {
    return new GatewayError(`${path} is there already and was not touched`, {
      code: 'AlreadyExists',
      hint: 'choose another file name, or remove it',
      cause,
    });
  }
  return new GatewayError(`${path} cannot be written: ${messageOf(cause)}`, {
    code: 'PermissionDenied',
    cause,
  });
}
