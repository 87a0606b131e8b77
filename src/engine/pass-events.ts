import type { Recorder } from '../core/events.ts';
import { SPEC_DIFFERS } from '../core/plan.ts';
import { sentenceOf, type PartChange, type PassWatcher } from './reconciler.ts';

/** Tells the journal what a pass did, and whoever waits for it what it begins. */
export function tellsPass(record: Recorder, progress: (message: string) => void): PassWatcher {
  return {
    applying: (change) => progress(sentenceOf(change)),
    applied: (change) => {
      const type = isHealing(change) ? 'change.healed' : 'change.applied';
      record(type, sentenceOf(change), { part: change.part.id });
    },
    failed: (change) => {
      progress(`failed: ${sentenceOf(change)}: ${change.error.message}`);
      record('change.failed', `${sentenceOf(change)}: ${change.error.message}`, {
        part: change.part.id,
        code: change.error.code,
      });
    },
  };
}

/** Nothing new was asked: what stood was found broken. */
function isHealing({ change }: PartChange): boolean {
  return change.op === 'update' && change.why !== SPEC_DIFFERS;
}
