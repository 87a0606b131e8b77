import { z } from 'zod';
import type { HostServiceSpec } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { ipBatch, isNetns } from '../system/netns.ts';
import { loadRules } from '../system/nft.ts';
import { run } from '../system/run.ts';
import type { Handler } from './environment.ts';
import { HUB_END_OF_HOST, hostLink, hubNetns, TABLE } from './names.ts';
import { type HubTable, readTable } from './table.ts';

/**
 * A service on the host's own network has its pool address on the host's end of the link. The mark is an element of the
 * hub's set `hosts` with the service's name as comment; it comes first and leaves last, and `observe` compares it with
 * the addresses and routes that stand.
 */
const Element = z.object({ elem: z.object({ val: z.string(), comment: z.string() }) });

export interface HostService {
  readonly service: string;
  readonly spec: z.infer<typeof HostServiceSpec>;
}

export function hostServicesIn(table: HubTable | undefined): HostService[] {
  const elements = table?.sets.get('hosts') ?? [];
  return elements.flatMap((element) => {
    const parsed = Element.safeParse(element);
    if (!parsed.success) return [];
    const { val, comment } = parsed.data.elem;
    return [{ service: comment, spec: { address: val } }];
  });
}

export const ensureHostService: Handler<'hostService.ensure'> = async (input, _environment, signal) => {
  const { network, service, spec } = input;
  const hub = hubNetns(network);
  const present = hostServicesIn(await readTable(hub, signal)).filter((each) => each.service === service);
  for (const old of present) await remove(network, old.spec.address, signal);
  await loadRules(hub, `add element inet ${TABLE} hosts { ${spec.address} comment "${service}" }\n`, signal);
  await ipBatch(undefined, [`addr replace ${spec.address}/32 dev ${hostLink(network)}`], signal);
  const nextHop = `via ${network.edge} dev ${HUB_END_OF_HOST} onlink`;
  await ipBatch(hub, [`route replace ${spec.address}/32 ${nextHop}`], signal);
  return {};
};

export const removeHostService: Handler<'hostService.remove'> = async (
  { network, service },
  _environment,
  signal,
) => {
  const hub = hubNetns(network);
  if (!(await isNetns(hub))) return {};
  const present = hostServicesIn(await readTable(hub, signal)).filter((each) => each.service === service);
  for (const each of present) await remove(network, each.spec.address, signal);
  return {};
};

async function remove(network: Network, address: string, signal: AbortSignal): Promise<void> {
  const hub = hubNetns(network);
  // 2: it is not there (any more).
  const accept = [0, 2];
  await run(['ip', 'addr', 'del', `${address}/32`, 'dev', hostLink(network)], { signal, accept: [0, 1, 2] });
  await run(['nsenter', `--net=/run/netns/${hub}`, '--', 'ip', 'route', 'del', `${address}/32`], {
    signal,
    accept,
  });
  await loadRules(hub, `delete element inet ${TABLE} hosts { ${address} }\n`, signal);
}
