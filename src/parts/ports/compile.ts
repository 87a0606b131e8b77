import type { Compiled, CompileInput, PortWant, Resource } from '../../core/contract.ts';
import { portKey, type PortSpec } from '../../core/mapper.ts';

/** `mapping:udp/51820`: the mapper keeps it open in the router, or keeps trying. What it got is learned: facts. */
export type Spec = PortSpec;

export function compile({ wants }: CompileInput): Compiled<Spec> {
  const mine = wants.filter((want) => want.part === 'ports');
  const groups = [...Map.groupBy(mine, portKey)].sort(([a], [b]) => (a < b ? -1 : 1));
  const resources = groups.flatMap(([key, group]) => resourceOf(key, group));
  return { resources, wants: [], problems: [], ledger: {} };
}

/** Wants come sorted; where two prefer another port outside, the lower one is asked for. */
function resourceOf(key: string, group: readonly PortWant[]): Resource<Spec>[] {
  const [first] = [...group].sort((a, b) => a.externalPort - b.externalPort);
  if (first === undefined) return [];
  const { transport, port, externalPort } = first;
  const neededBy = [...new Set(group.map(({ service }) => service))].sort();
  return [{ key: `mapping:${key}`, spec: { transport, port, externalPort }, neededBy }];
}
