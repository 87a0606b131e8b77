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

export const CERTIFICATE_FILE: Option = {
  name: 'p12',
  value: 'FILE',
  completion: 'file',
  summary: 'Write the certificate for pages as a PKCS#12 file, instead of showing a one-time link to it',
};

const FORMATS = ['png', 'svg', 'conf'] as const;
type Format = (typeof FORMATS)[number];

export interface ReservedFiles {
  readonly count: number;
  /** Writes the text in each format; resolves with the file names. */
  fill(text: string): Promise<readonly string[]>;
  /** Removes what was reserved and not filled. */
  release(): Promise<void>;
}

export interface ReservedFile {
  /** Resolves with the file's name, where there is one and something was written. */
  fill(content: Uint8Array | undefined): Promise<readonly string[]>;
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
      reserved.push({ format, path, handle: await openNew(path) });
    } catch (error) {
      await release();
      throw error;
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

/** One file in the same way; without a path there is none. */
export async function reserveFile(path: string | undefined): Promise<ReservedFile> {
  let handle = path === undefined ? undefined : await openNew(path);
  return {
    fill: async (content) => {
      if (path === undefined || handle === undefined || content === undefined) return [];
      await handle.writeFile(content);
      await handle.sync();
      await handle.close();
      handle = undefined;
      return [path];
    },
    release: async () => {
      if (path === undefined || handle === undefined) return;
      await handle.close();
      await unlink(path);
    },
  };
}

async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    throw refused(path, error);
  }
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
