import { UsageError } from './failure.ts';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const MAX_DAYS = 3660;

/** `30d`, `12h`, `2w`, or a day (`2027-03-01`, its end in UTC) → ISO 8601. `undefined` stays. */
export function parseExpiry(text: string | undefined, now: number): string | undefined {
  if (text === undefined) return undefined;
  const at = momentOf(text, now);
  if (at === undefined || at - now > MAX_DAYS * 86_400_000) {
    throw new UsageError(
      `--expires is ${JSON.stringify(text)}`,
      'write how long it lasts, like 12h, 30d or 4w, or the last day, like 2027-03-01',
    );
  }
  if (at <= now) throw new UsageError(`--expires ${text} is over already`, 'choose a later time');
  return new Date(at).toISOString();
}

function momentOf(text: string, now: number): number | undefined {
  const [, count, unit] = /^([0-9]{1,6})([smhdw])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return now + Number(count) * (SECONDS[unit] ?? 0) * 1000;
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return undefined;
  const end = Date.parse(`${text}T23:59:59Z`);
  return Number.isNaN(end) ? undefined : end;
}
