import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { TunnelSpec } from '../core/tunnel-operations.ts';
import type { Network } from '../core/service.ts';
import { errnoOf } from '../core/errors.ts';
import { fileError, readFileIfExists, removeFile, writeFileAtomic } from '../system/files.ts';
import { jsonOf } from './alias.ts';
import type { HelperEnvironment } from './environment.ts';

/**
 * One file for each tunnel, written before it is made and removed after it is gone: what a kill leaves half made is found
 * again by it. Lies beside the sockets, so it goes at a power cut with the tunnels.
 */
export const TunnelMark = z.object({
  tunnel: TunnelSpec,
  /** Of its packet filter as the kernel told it once it stood; absent: it is half made. */
  filter: z.string().optional(),
});
export type TunnelMark = z.infer<typeof TunnelMark>;

type Where = Pick<HelperEnvironment, 'directories'>;
type Of = Pick<Network, 'prefix'>;

function directoryOf({ directories }: Where): string {
  return join(directories.run, 'tunnels');
}

function fileOf(environment: Where, { prefix }: Of, number: number): string {
  return join(directoryOf(environment), `${prefix}-${number}.json`);
}

export async function writeTunnelMark(environment: Where, network: Of, mark: TunnelMark): Promise<void> {
  await mkdir(directoryOf(environment), { recursive: true, mode: 0o755 }).catch((error: unknown) => {
    throw fileError('the directory for marks of tunnels could not be made', error);
  });
  await writeFileAtomic(fileOf(environment, network, mark.tunnel.number), JSON.stringify(mark), {
    mode: 0o644,
  });
}

export async function removeTunnelMark(environment: Where, network: Of, number: number): Promise<void> {
  await removeFile(fileOf(environment, network, number));
}

/** Of this prefix only, by number. One that is not ours, or of another version, is passed over. */
export async function listTunnelMarks(environment: Where, { prefix }: Of): Promise<TunnelMark[]> {
  const names = await readdir(directoryOf(environment)).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw fileError('the marks of tunnels could not be read', error);
  });
  const mine = names.filter((name) => name.startsWith(`${prefix}-`) && name.endsWith('.json')).sort();
  const marks = await Promise.all(
    mine.map(async (name) => {
      const text = (await readFileIfExists(join(directoryOf(environment), name)))?.toString() ?? '';
      return TunnelMark.safeParse(jsonOf(text)).data;
    }),
  );
  return marks.flatMap((mark) => mark ?? []);
}
