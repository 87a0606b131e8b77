import { waitForLine } from '../system/run.ts';
import type { Handler } from './environment.ts';
import { hostTable } from './names.ts';

const ANSWER_AFTER_MS = 30_000;

/**
 * Waits for somebody to touch our table in the host's namespace (`nft flush ruleset`, a firewall that loads itself anew),
 * or to bring a table of their own: Docker makes one when it makes the machine a router.
 */
export const watchEgress: Handler<'egress.watch'> = async ({ network }, _environment, signal) => {
  const ours = hostTable(network);
  const concernsUs = (line: string): boolean =>
    line.startsWith('add table ') || line.split(' ').includes(ours);
  const ending = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_AFTER_MS)]);
  const monitor = ['setpriv', '--pdeathsig', 'KILL', '--', 'nft', 'monitor'] as const;
  return { changed: (await waitForLine(monitor, concernsUs, ending)) !== undefined };
};
