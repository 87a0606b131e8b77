import type { Generation, UpReport } from '../../core/control.ts';
import { GatewayError } from '../../core/errors.ts';
import type { JournalEvent } from '../../core/events.ts';
import type { Client } from '../client.ts';
import { type Command, type Context, EXIT } from '../command.ts';
import { UsageError } from '../failure.ts';
import { wholeNumber } from '../parse.ts';
import { renderEvent, renderGenerations } from '../render-lists.ts';
import { show, showUp } from '../report.ts';

const PAGE = 1000;

export const events: Command = {
  name: 'events',
  summary: 'Show what happened',
  arguments: [],
  options: [
    { name: 'follow', short: 'f', summary: 'Go on with what happens, until Ctrl-C' },
    {
      name: 'since',
      value: 'WHEN',
      summary: 'Only events since then: 10m, 2h, 3d, or a time like 2026-01-31T08:00Z',
    },
    { name: 'last', value: 'N', summary: 'Only the last N events (50; 0 with --follow for only new ones)' },
  ],
  run: async (input, context) => {
    const since = input.text('since');
    const last = wholeNumber(
      input.text('last') ?? (since === undefined ? '50' : '1000000'),
      '--last',
      0,
      1_000_000,
    );
    const sinceMs = since === undefined ? -Infinity : timeSince(since, Date.now());
    const client = await context.client();
    const { shown: found, after } = await lastEvents(client, last, context);
    const shown = found.filter(({ at }) => Date.parse(at) >= sinceMs);
    if (!input.has('follow')) {
      show(context, shown, () => shown.map(renderEvent).join('\n') || 'Nothing has happened yet.');
      return EXIT.ok;
    }
    const line = (event: JournalEvent): void => show(context, event, () => renderEvent(event));
    shown.forEach(line);
    await follow(client, after, (event) => line(event as JournalEvent), context);
    return EXIT.ok;
  },
};

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds since the epoch. */
function timeSince(typed: string, now: number): number {
  const [, count, unit = ''] = /^([0-9]{1,6})([smhd])$/.exec(typed) ?? [];
  if (count !== undefined) return now - Number(count) * (UNITS_MS[unit] ?? 0);
  const at = /^[0-9]{4}-/.test(typed) ? Date.parse(typed) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  throw new UsageError(
    `--since ${typed} is no time`,
    'write 10m, 2h or 3d, or a time like 2026-01-31T08:00Z',
  );
}

/** The journal is read in pages from its beginning, because its end moves. */
async function lastEvents(client: Client, last: number, { signal }: Context) {
  let shown: JournalEvent[] = [];
  let after = 0;
  for (;;) {
    const page = await client.get<JournalEvent[]>(`/v1/events?after=${after}&limit=${PAGE}`, signal);
    shown = last === 0 ? [] : [...shown, ...page].slice(-last);
    after = page.at(-1)?.seq ?? after;
    if (page.length < PAGE) return { shown, after };
  }
}

/** Ctrl-C is how following ends: it is no failure. */
async function follow(client: Client, after: number, line: (event: unknown) => void, { signal }: Context) {
  try {
    await client.follow(`/v1/events/stream?after=${after}`, line, signal);
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'Aborted') return;
    throw error;
  }
}

export const generations: Command = {
  name: 'generations',
  summary: 'List the configurations that were applied',
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const client = await context.client();
    const list = await client.get<Generation[]>('/v1/generations', context.signal);
    show(context, list, () => renderGenerations(list, Date.now()));
    return EXIT.ok;
  },
};

export const rollback: Command = {
  name: 'rollback',
  summary: 'Set gateway.yaml back to an earlier generation and apply it',
  details: [
    'The file as it is now is kept beside it. Devices are not touched.',
    'Without N: the last generation before the current one that was fully programmed.',
  ],
  arguments: [{ name: 'N', isOptional: true, summary: 'Number of a generation, from gateway generations' }],
  options: [],
  run: async (input, context) => {
    const typed = input.optional('N');
    const body = typed === undefined ? {} : { generation: wholeNumber(typed, 'N', 1, 999_999_999) };
    const client = await context.client();
    const { progress, signal } = context;
    return showUp(context, await client.send<UpReport>('POST', '/v1/rollback', body, progress, signal));
  },
};
