import { z } from 'zod';
import type { Progress } from '../core/control.ts';
import type { Desired } from '../core/desired.ts';
import { textOf } from '../core/flows.ts';
import { Flow } from '../core/operations.ts';
import type { Helper } from '../core/ports.ts';
import type { Device } from '../core/service.ts';
import { appliedOf } from './applied.ts';

/** How the spec of a part says which paths through the hub are open. */
const SpecOfFlows = z.looseObject({ flows: z.array(Flow) });

/** Paths through the hub that were open and are not any more. Connections that are open on them only drain. */
export function closedFlows(before: Desired, after: Desired): Flow[] {
  const open = new Set(flowsOf(after).map(textOf));
  return flowsOf(before).filter((flow) => !open.has(textOf(flow)));
}

/** Those from or to one device; only a device with a tunnel has any. */
export function flowsOfDevice(flows: readonly Flow[], { publicKey }: Device, desired: Desired): Flow[] {
  const address = appliedOf(desired).devices.find((peer) => peer.publicKey === publicKey)?.address;
  return flows.filter((flow) => flow.source === address || flow.address === address);
}

/** Ends what is still open on these paths, and nothing else. */
export async function cutFlows(
  helper: Helper,
  { network }: Desired,
  flows: readonly Flow[],
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  for (const { source, address } of flows) {
    progress(`ending what ${source} has open with ${address}`);
    await helper.call('flows.cut', { network, source, address }, signal);
  }
}

function flowsOf(desired: Desired): Flow[] {
  return [...desired.resources.values()].flat().flatMap(({ spec }) => {
    const parsed = SpecOfFlows.safeParse(spec);
    return parsed.success ? parsed.data.flows : [];
  });
}
