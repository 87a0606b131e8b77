import { setTimeout as sleep } from 'node:timers/promises';
import type { PlanReport } from '../../core/control.ts';
import type { Status } from '../../core/status.ts';
import type { Client } from '../client.ts';
import { type Command, type Context, EXIT } from '../command.ts';
import { exitCodeOf, renderStatus } from '../render.ts';
import { exitCodeOfReport, renderPlan } from '../render-lists.ts';
import { show } from '../report.ts';
import { painter } from '../table.ts';

export const status: Command = {
  name: 'status',
  summary: 'Show every service, its ways in, and whether each was proved to work',
  details: [
    'A line for each service, worst first, with the way in use; below it every other way, and why it is not. "fallback": another way took over until the first choice works again.',
    'A way is "yes" only after a visit from outside: VANTAGE says from where, PROVED when. Everything that was not proved is "no" or "unknown".',
    'Exit code: 0 all ways were proved, 2 a way is unreachable, 3 a way could not be decided, 1 something else needs attention.',
  ],
  arguments: [],
  options: [{ name: 'watch', short: 'w', summary: 'Show it again whenever it changes, until Ctrl-C' }],
  run: async (input, context) => {
    const client = await context.client();
    if (input.has('watch')) return watch(client, context);
    const now = await client.get<Status>('/v1/status', context.signal);
    show(context, now, () => textOf(now, context));
    return exitCodeOf(now);
  },
};

function textOf(status: Status, { terminal: { columns, hasColour } }: Context): string {
  return renderStatus(status, { columns, paint: painter(hasColour), now: Date.now() });
}

const LOOK_MS = 1000;
const CLEAR = '\x1b[H\x1b[2J\x1b[3J';

/** Ctrl-C is how watching ends: it is no failure. */
async function watch(client: Client, context: Context): Promise<number> {
  const { signal, terminal } = context;
  let shown = '';
  try {
    for (;;) {
      const now = await client.get<Status>('/v1/status', signal);
      const text = context.isJson ? JSON.stringify(now) : textOf(now, context);
      if (text !== shown) {
        if (!context.isJson) terminal.keyboard?.draw(CLEAR);
        terminal.print(text);
        shown = text;
      }
      await sleep(LOOK_MS, undefined, { signal });
    }
  } catch (error) {
    if (signal.aborted) return EXIT.ok;
    throw error;
  }
}

export const plan: Command = {
  name: 'plan',
  summary: 'Say what "gateway up" would change; nothing is changed',
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const client = await context.client();
    const report = await client.get<PlanReport>('/v1/plan', context.signal);
    show(context, report, () => renderPlan(report));
    return exitCodeOfReport(report);
  },
};
