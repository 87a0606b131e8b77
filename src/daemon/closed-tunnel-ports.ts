import { z } from 'zod';
import type { Progress } from '../core/control.ts';
import type { Desired } from '../core/desired.ts';
import type { Helper } from '../core/ports.ts';
import { TunnelSpec } from '../core/tunnel-operations.ts';

/** How the spec of a provider says what comes in by a relay. */
const SpecOfTunnel = z.looseObject({ type: z.literal('tunnel'), tunnel: TunnelSpec });

/** Ends what visitors have open through ports of relays that led to a service, and do not any more. */
export async function cutTunnelPorts(
  helper: Helper,
  before: Desired,
  after: Desired,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const open = new Set(portsOf(after).map(({ key }) => key));
  for (const { key, number, port, service } of portsOf(before)) {
    if (open.has(key)) continue;
    progress(`ending what visitors of port ${port} have open with ${service}`);
    await helper.call('tunnel.cut', { network: after.network, number, port }, signal);
  }
}

function portsOf({ resources }: Desired) {
  const specs = [...resources.values()].flat().map(({ spec }) => SpecOfTunnel.safeParse(spec).data);
  return specs.flatMap((spec) => {
    if (spec === undefined) return [];
    const { number, ports } = spec.tunnel;
    return ports.map(({ port, service }) => ({ key: `${number} ${port} ${service}`, number, port, service }));
  });
}
