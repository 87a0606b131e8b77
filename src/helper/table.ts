import { z } from 'zod';
import { listTable } from '../system/nft.ts';
import { TABLE } from './names.ts';

const Elements = z.object({ name: z.string(), elem: z.array(z.unknown()).default([]) });
const Listed = z.object({
  nftables: z.array(
    z.object({
      chain: z.object({ name: z.string(), policy: z.string().optional() }).optional(),
      rule: z.object({ chain: z.string() }).optional(),
      set: Elements.optional(),
      map: Elements.optional(),
    }),
  ),
});

export interface HubTable {
  /** `name policy rules`: 'forward drop 1'. Tells whether somebody emptied a chain. */
  readonly chains: readonly string[];
  /** Maps too. */
  readonly sets: ReadonlyMap<string, readonly unknown[]>;
}

/** `undefined` when there is none. */
export async function readTable(
  netns: string | undefined,
  signal: AbortSignal,
  table = TABLE,
): Promise<HubTable | undefined> {
  const json = await listTable(netns, table, signal);
  return json === undefined ? undefined : parseTable(json);
}

function parseTable(json: string): HubTable {
  const objects = Listed.parse(JSON.parse(json)).nftables;
  const rules = objects.flatMap((object) => object.rule ?? []);
  const chains = objects.flatMap(({ chain }) => {
    if (chain === undefined) return [];
    const count = rules.filter((rule) => rule.chain === chain.name).length;
    return [`${chain.name} ${chain.policy ?? 'none'} ${count}`];
  });
  const sets = objects
    .flatMap(({ set, map }) => set ?? map ?? [])
    .map(({ name, elem }) => [name, elem] as const);
  return { chains: chains.sort(), sets: new Map(sets) };
}
