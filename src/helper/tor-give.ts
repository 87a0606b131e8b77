import { setTimeout as sleep } from 'node:timers/promises';
import type { HelperEnvironment } from './environment.ts';
import { readOwnLines, textOf } from './own-lines.ts';
import { giveTor } from './tor-control.ts';
import { torrcPlace } from './tor-directory.ts';
import { currentProgram } from './tor-program.ts';
import { renderTorrc, type Torrc } from './torrc.ts';

const SETTLE_MS = 1500;

/**
 * tor 0.4.9.11 makes the state of the proof-of-work defence anew after it was given a torrc, in a task that runs once a
 * second, and crashes at a visitor who comes before (tried: signal 11 in hs_circ_handle_introduce2). Our own visits follow
 * every change, so they wait.
 */
export async function letSettle({ asked }: Torrc, signal: AbortSignal): Promise<void> {
  const isDefended = asked.onions.some(({ proofOfWork }) => proofOfWork);
  if (isDefended && currentProgram().hasProofOfWork) await sleep(SETTLE_MS, undefined, { signal });
}

/**
 * Takes onions away from the running tor for a moment, which closes their circuits: they come back under the same address
 * with new introduction points. Cut short in between, tor has loaded another torrc than the one on disk, and is given it.
 */
export async function giveWithout(
  { asked, left }: Torrc,
  stale: readonly string[],
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const own = textOf(await readOwnLines(environment));
  const away = stale.map((service) => ({ service, reason: 'its introduction points are made anew' }));
  await giveTor(environment, renderTorrc(asked, [...left, ...away], own, torrcPlace(environment)), signal);
}
