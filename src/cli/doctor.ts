import type { Check } from '../doctor/check.ts';
import { examine } from '../doctor/examine.ts';
import { sayIn } from '../doctor/messages/say.ts';
import { renderReport } from '../doctor/render.ts';
import { exitCodeOf, reportOf } from '../doctor/report.ts';
import { directoriesIn } from '../system/directories.ts';
import { openWorld } from '../system/doctor/world.ts';
import type { Context, Input } from './command.ts';
import { liveProgress } from './doctor-progress.ts';
import { show } from './report.ts';
import { painter } from './table.ts';

export interface Chosen {
  readonly checks: readonly Check[];
  readonly language: string;
}

/** Runs the checks and prints what they found; resolves with the exit code. */
export async function runDoctor(
  { checks, language }: Chosen,
  input: Input,
  context: Context,
): Promise<number> {
  const { terminal, signal, root } = context;
  const say = sayIn(language);
  const begunAt = Date.now();
  const world = await openWorld({
    directories: directoriesIn(root),
    ask: async (path, until) => (await context.client()).get(path, until),
    post: async (path, body, until) =>
      (await context.client()).send('POST', path, body, () => undefined, until),
    signal,
  });
  const live = liveProgress({ checks, say, context });
  const done = await examine({
    checks,
    world,
    mode: 'quick',
    isOffline: input.has('offline'),
    signal,
    onDone: live.done,
  }).finally(live.end);
  const report = reportOf({ done, begunAt, durationMs: Date.now() - begunAt, mode: 'quick' }, say);
  const view = {
    say,
    columns: Math.min(terminal.columns, 100),
    paint: painter(terminal.hasColour),
    isVerbose: input.has('verbose'),
  };
  show(context, report, () => renderReport(report, view));
  return exitCodeOf(report, input.has('strict'));
}
