import { removeEveryExposure } from '../core/config-edit.ts';
import type { Progress, UpReport } from '../core/control.ts';
import type { Engine } from '../engine/engine.ts';
import type { Ports } from '../core/ports.ts';
import type { Changes } from './change.ts';

interface Pieces {
  readonly changes: Changes;
  readonly engine: Engine;
  readonly ports: Ports;
}

/**
 * Dark: every way in of every service is closed. With `now` also what is still draining from ways that were closed before;
 * so this cuts by where connections lead, not by what the change closed.
 */
export async function unexposeAll(
  { changes, engine, ports }: Pieces,
  now: boolean,
  progress: Progress,
  signal: AbortSignal,
): Promise<UpReport> {
  const before = engine.desired;
  const report = await changes.editWhatever(removeEveryExposure, progress, signal);
  if (!now || before === undefined) return report;
  const { network, services } = before;
  for (const address of [...services.map((service) => service.address), network.edge]) {
    progress(`ending what is open with ${address}`);
    await ports.helper.call('flows.cut', { network, address }, signal);
  }
  return report;
}
