import { GatewayError } from '../core/errors.ts';
import { inNetns, type Netns } from './netns.ts';
import { run } from './run.ts';

/** Loads rules in one transaction: all of them or none. */
export async function loadRules(netns: Netns, rules: string, signal: AbortSignal): Promise<void> {
  await run(inNetns(netns, ['nft', '-f', '-']), { signal, input: rules });
}

/** nft's JSON of one table of family inet; `undefined` when there is none. */
export async function listTable(
  netns: Netns,
  table: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const argv = inNetns(netns, ['nft', '-j', 'list', 'table', 'inet', table]);
  const ran = await run(argv, { signal, accept: [0, 1] });
  if (ran.exitCode === 0) return ran.stdout;
  if (ran.stderr.includes('No such file or directory')) return undefined;
  throw new GatewayError(`table ${table} could not be listed: ${ran.stderr.trim()}`, {
    code: 'CommandFailed',
  });
}
