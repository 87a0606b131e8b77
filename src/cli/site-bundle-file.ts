import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { z } from 'zod';
import { errnoOf, GatewayError, messageOf } from '../core/errors.ts';
import { SiteBundle } from '../core/site-bundle.ts';

/** `sha256` is of the bundle as it stands in the file: a file that was cut off or edited is found out. */
const BundleFile = z.strictObject({
  kind: z.literal('gateway site bundle'),
  version: z.literal(1),
  sha256: z.string(),
  bundle: z.json(),
});
const LONGEST_BYTES = 1024 * 1024;

export function renderBundle(bundle: SiteBundle): string {
  const file = { kind: 'gateway site bundle', version: 1, sha256: hashOf(bundle), bundle };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** Refuses what others may read, because it holds keys, and what is not whole. */
export async function readBundle(path: string): Promise<SiteBundle> {
  const text = await readPrivate(path);
  const file = BundleFile.safeParse(parsed(text));
  if (!file.success) throw damaged(path, 'it is no bundle of gateway site add, or of a later version');
  if (file.data.sha256 !== hashOf(file.data.bundle)) {
    throw damaged(path, 'it is not as it was written: its checksum is another');
  }
  const bundle = SiteBundle.safeParse(file.data.bundle);
  if (bundle.success) return bundle.data;
  throw damaged(path, z.prettifyError(bundle.error).replaceAll('\n', ' '));
}

async function readPrivate(path: string): Promise<string> {
  try {
    const handle = await open(path, 'r');
    try {
      const { mode, size } = await handle.stat();
      if ((mode & 0o077) !== 0) throw exposed(path, mode);
      if (size > LONGEST_BYTES) throw damaged(path, `it has ${size} bytes`);
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof GatewayError || errnoOf(error) === undefined) throw error;
    throw new GatewayError(`${path} cannot be read: ${messageOf(error)}`, {
      code: 'PermissionDenied',
      retry: 'never',
      cause: error,
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function hashOf(bundle: unknown): string {
  return createHash('sha256').update(JSON.stringify(bundle)).digest('hex');
}

function exposed(path: string, mode: number): GatewayError {
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  return new GatewayError(`${path} holds keys, and others may read it (mode ${shown})`, {
    code: 'PermissionDenied',
    retry: 'never',
    hint: `chmod 600 ${path}`,
  });
}

function damaged(path: string, why: string): GatewayError {
  return new GatewayError(`${path} cannot be used: ${why}`, {
    code: 'StateCorrupt',
    retry: 'never',
    hint: 'copy it again from where gateway site add wrote it',
  });
}
