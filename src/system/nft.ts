import { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import { inNetns, type Netns } from './netns.ts';
import { run } from './run.ts';

/** Loads rules in one transaction: all of them or none. */
export async function loadRules(netns: Netns, rules: string, signal: AbortSignal): Promise<void> {
  await run(inNetns(netns, ['nft', '-f', '-']), { signal, input: rules });
}

const Listed = z.object({
  nftables: z.array(
    z.object({
      chain: z.object({ name: z.string(), policy: z.string().optional() }).optional(),
      rule: z.object({ chain: z.string() }).optional(),
      set: z.object({ name: z.string(), elem: z.array(z.unknown()).default([]) }).optional(),
    }),
  ),
});

export interface NftTable {
  /** `name policy rules`: 'forward drop 1'. Tells whether somebody emptied a chain. */
  readonly chains: readonly string[];
  readonly sets: ReadonlyMap<string, readonly unknown[]>;
}

/** `undefined` when there is no such table. */
export async function listTable(
  netns: Netns,
  table: string,
  signal: AbortSignal,
): Promise<NftTable | undefined> {
  const argv = inNetns(netns, ['nft', '-j', 'list', 'table', 'inet', table]);
  const ran = await run(argv, { signal, accept: [0, 1] });
  if (ran.exitCode === 0) return parseTable(ran.stdout);
  if (ran.stderr.includes('No such file or directory')) return undefined;
  throw new GatewayError(`table ${table} could not be listed: ${ran.stderr.trim()}`, {
    code: 'CommandFailed',
  });
}

function parseTable(json: string): NftTable {
  const objects = Listed.parse(JSON.parse(json)).nftables;
  const rules = objects.flatMap((object) => object.rule ?? []);
  const chains = objects.flatMap(({ chain }) => {
    if (chain === undefined) return [];
    const count = rules.filter((rule) => rule.chain === chain.name).length;
    return [`${chain.name} ${chain.policy ?? 'none'} ${count}`];
  });
  const sets = objects.flatMap(({ set }) => (set === undefined ? [] : [[set.name, set.elem] as const]));
  return { chains: chains.sort(), sets: new Map(sets) };
}
