import type { PlanReport } from '../../core/control.ts';
import type { Status } from '../../core/status.ts';
import type { Command } from '../command.ts';
import { exitCodeOf, renderStatus } from '../render.ts';
import { exitCodeOfReport, renderPlan } from '../render-lists.ts';
import { show } from '../report.ts';
import { painter } from '../table.ts';

export const status: Command = {
  name: 'status',
  summary: 'Show every service, its ways in, and whether each was proved to work',
  details: [
    'A way is "yes" only after a visit from outside: VANTAGE says from where, PROVED when. Everything that was not proved is "no" or "unknown".',
    'Exit code: 0 all ways were proved, 2 a way is unreachable, 3 a way could not be decided, 1 something else needs attention.',
  ],
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const client = await context.client();
    const now = await client.get<Status>('/v1/status', context.signal);
    const { columns, hasColour } = context.terminal;
    show(context, now, () => renderStatus(now, { columns, paint: painter(hasColour), now: Date.now() }));
    return exitCodeOf(now);
  },
};

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
