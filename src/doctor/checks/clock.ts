import type { Check, CheckContext, Checked, Finding } from '../check.ts';
import { text } from '../messages/message.ts';
import { askWitnesses, type Testimony } from '../witnesses.ts';

/** HTTP dates have whole seconds, and an answer takes its time. */
const SECOND = 1000;
const TOLERATED_MS = 20 * SECOND;
/** Tor and TLS begin to fail from some minutes on. */
const WRONG_MS = 600 * SECOND;
/** Two that tell times so close mean the same one. */
const AGREE_MS = 10 * SECOND;

/**
 *   witnesses that agree | off by        | found
 *   ---------------------+---------------+------------
 *   none                 | –             | unknown
 *   any                  | up to 20 s    | ok
 *   one                  | more          | unknown: it may be the one that is wrong
 *   two or more          | up to 10 min  | CLOCK_OFF
 *   two or more          | more          | CLOCK_WRONG
 */
export const clock: Check = {
  name: 'clock',
  title: 'clock.name',
  needs: ['outside'],
  deadlineMs: 7000,
  run: async (context) => {
    const testimonies = await askWitnesses(context);
    const skews = testimonies.flatMap(skewOf);
    const id = context.see('date', 'http-date', { skewsMs: skews, local: context.world.now() });
    return judge(skews, id, context);
  },
};

/** How far our clock is ahead; negative: behind. Only by those who are who they should be. */
function skewOf({ seen, isGenuine }: Testimony): number[] {
  if (!isGenuine || !('status' in seen) || seen.date === undefined) return [];
  // The date was written down half a second before its second ended, and half of the way ago, on average.
  return [seen.at - seen.ms / 2 - (seen.date + SECOND / 2)];
}

function judge(skews: readonly number[], evidence: string, { world }: CheckContext): Checked {
  const agreed = skews.find((one) => skews.filter((other) => Math.abs(one - other) < AGREE_MS).length > 1);
  const skew = agreed ?? skews[0];
  if (skew === undefined) return { text: text('clock.unknown'), isUnknown: true };
  const off = Math.abs(skew);
  if (off <= TOLERATED_MS) return { text: text('clock.right') };
  if (agreed === undefined) return { text: text('clock.contested'), isUnknown: true };
  const values = {
    amount: durationText(off),
    direction: text(skew > 0 ? 'clock.ahead' : 'clock.behind'),
    ours: new Date(world.now()).toISOString(),
    theirs: new Date(world.now() - skew).toISOString(),
  };
  return { text: text('clock.off', values), findings: [finding(off, values, evidence)] };
}

function finding(off: number, values: Finding['values'], evidence: string): Finding {
  return {
    code: off > WRONG_MS ? 'CLOCK_WRONG' : 'CLOCK_OFF',
    values,
    because: [evidence],
    fix: [
      { text: text('clock.fix.sync'), command: 'sudo timedatectl set-ntp true', who: 'you' },
      { text: text('clock.fix.battery'), who: 'you' },
    ],
  };
}

function durationText(ms: number) {
  const seconds = Math.round(ms / SECOND);
  if (seconds < 120) return text('time.seconds', { count: seconds });
  if (seconds < 7200) return text('time.minutes', { count: Math.round(seconds / 60) });
  if (seconds < 172_800) return text('time.hours', { count: Math.round(seconds / 3600) });
  return text('time.days', { count: Math.round(seconds / 86_400) });
}
