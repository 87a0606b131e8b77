import { removeEveryExposure } from '../core/config-edit.ts';
import type { Progress, UpReport } from '../core/control.ts';
import type { Engine } from '../engine/engine.ts';
import type { Helper, Ports } from '../core/ports.ts';
import type { Changes } from './change.ts';

/** Before an onion is closed: its visitors may finish. `false`: there is none, or it ends at once. */
export async function letFinish(
  service: string,
  helper: Helper,
  progress: Progress,
  signal: AbortSignal,
): Promise<boolean> {
  const { isDraining } = await helper.call('tor.drain', { service }, signal);
  if (!isDraining) return false;
  progress(
    `what visitors of the onion service of ${service} have open may finish, for ten minutes at most; nobody new gets in`,
  );
  return true;
}

/**
 * The change that closes it was refused: when it is closed in another way, soon after, it must end at once as that says. Where
 * the change began, the note does what it is for.
 */
export async function letFinishUnless<Result>(
  service: string,
  { ports, engine }: Pick<Pieces, 'ports' | 'engine'>,
  change: (note: () => Promise<void>) => Promise<Result>,
  progress: Progress,
  signal: AbortSignal,
): Promise<Result> {
  const before = engine.desired;
  let isNoted = false;
  try {
    return await change(async () => {
      isNoted = before !== undefined && (await letFinish(service, ports.helper, progress, signal));
    });
  } catch (error) {
    if (isNoted && engine.desired === before) {
      // The owner may have gone meanwhile.
      await ports.helper.call('tor.cut', { service }, AbortSignal.timeout(FORGET_MS));
    }
    throw error;
  }
}

const FORGET_MS = 5000;

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
  let report: UpReport;
  try {
    if (now) await ports.helper.call('tor.cut', {}, signal);
    else for (const { name } of before?.services ?? []) await letFinish(name, ports.helper, progress, signal);
  } finally {
    // Whatever is wrong with tor: every way is closed.
    report = await changes.editWhatever(removeEveryExposure, progress, signal);
  }
  if (!now || before === undefined) return report;
  const { network, services } = before;
  for (const address of [...services.map((service) => service.address), network.edge]) {
    progress(`ending what is open with ${address}`);
    await ports.helper.call('flows.cut', { network, address }, signal);
  }
  return report;
}
