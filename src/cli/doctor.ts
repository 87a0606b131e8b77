import { setTimeout as sleep } from 'node:timers/promises';
import type { Check } from '../doctor/check.ts';
import { examine } from '../doctor/examine.ts';
import { sayIn, type Say } from '../doctor/messages/say.ts';
import { redact } from '../doctor/redact.ts';
import { renderReport } from '../doctor/render.ts';
import { exitCodeOf, reportOf } from '../doctor/report.ts';
import type { Mode, Report } from '../doctor/types.ts';
import { directoriesIn } from '../system/directories.ts';
import { openWorld } from '../system/doctor/world.ts';
import { EXIT, type Context, type Input } from './command.ts';
import { mend, undo } from './doctor-mend.ts';
import { liveProgress } from './doctor-progress.ts';
import { show } from './report.ts';
import { painter } from './table.ts';

export interface Chosen {
  readonly checks: readonly Check[];
  readonly language: string;
  readonly mode: Mode;
}

/** Runs the checks and prints what they found; resolves with the exit code. */
export async function runDoctor(chosen: Chosen, input: Input, context: Context): Promise<number> {
  if (input.has('undo')) return await undo(sayIn(chosen.language), context);
  if (input.has('watch')) return await watch(chosen, input, context);
  return await once(chosen, input, context);
}

/** Between two examinations; each asks the machines outside anew. */
const EVERY_MS = 60_000;
const CLEAR_SCREEN = '\u001b[2J\u001b[H';

/** Until Ctrl-C; the exit code is that of the last examination that came to its end. */
async function watch(chosen: Chosen, input: Input, context: Context): Promise<number> {
  let code: number = EXIT.undecided;
  try {
    for (;;) {
      code = await once(chosen, input, context);
      await sleep(EVERY_MS, undefined, { signal: context.signal });
      if (!context.isJson) context.terminal.keyboard?.draw(CLEAR_SCREEN);
    }
  } catch (error) {
    if (context.signal.aborted) return code;
    throw error;
  }
}

async function once(chosen: Chosen, input: Input, context: Context): Promise<number> {
  const say = sayIn(chosen.language);
  const found = await look(chosen, say, input, context);
  const mended = input.has('fix') ? { ...found, changes: await mend(found, say, context) } : found;
  const report = input.has('redact') ? redact(mended) : mended;
  const file = input.text('report');
  if (file !== undefined) await writeReport(file, report, say);
  const { terminal } = context;
  const view = {
    say,
    columns: Math.min(terminal.columns, 100),
    paint: painter(terminal.hasColour),
    isVerbose: input.has('verbose'),
  };
  show(context, report, () => renderReport(report, view));
  if (file !== undefined) terminal.note(say({ key: 'report.written', values: { file } }));
  return exitCodeOf(report, input.has('strict'));
}

async function look(chosen: Chosen, say: Say, input: Input, context: Context): Promise<Report> {
  const { checks, mode } = chosen;
  const { signal, root } = context;
  const begunAt = Date.now();
  const world = await openWorld({
    directories: directoriesIn(root),
    ask: async (path, until) => (await context.client(true)).get(path, until),
    post: async (path, body, until) =>
      (await context.client(true)).send('POST', path, body, () => undefined, until),
    signal,
  });
  const live = liveProgress({ checks, say, context });
  const isOffline = input.has('offline');
  const done = await examine({ checks, world, mode, isOffline, signal, onDone: live.done }).finally(live.end);
  return reportOf({ done, begunAt, durationMs: Date.now() - begunAt, mode }, say);
}

/** For whoever helps: what a person reads, and below it everything, for a program. */
async function writeReport(file: string, report: Report, say: Say): Promise<void> {
  const { writeFileAtomic } = await import('../system/files.ts');
  const text = renderReport(report, { say, columns: 100, paint: (_, words) => words, isVerbose: true });
  await writeFileAtomic(file, `${text}\n\n${JSON.stringify(report, null, 2)}\n`, { mode: 0o600 });
}
