import { z } from 'zod';
import type { Desired } from '../core/desired.ts';
import { textOf } from '../core/flows.ts';
import { Flow } from '../core/operations.ts';

/** How the spec of a part says which paths through the hub are open. */
const SpecOfFlows = z.looseObject({ flows: z.array(Flow) });

/** Paths through the hub that were open and are not any more. Connections that are open on them only drain. */
export function closedFlows(before: Desired, after: Desired): Flow[] {
  const open = new Set(flowsOf(after).map(textOf));
  return flowsOf(before).filter((flow) => !open.has(textOf(flow)));
}

function flowsOf(desired: Desired): Flow[] {
  return [...desired.resources.values()].flat().flatMap(({ spec }) => {
    const parsed = SpecOfFlows.safeParse(spec);
    return parsed.success ? parsed.data.flows : [];
  });
}
