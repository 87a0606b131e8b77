import { text, type MessageKey, type Values } from './messages/message.ts';
import { harmless, type Say } from './messages/say.ts';
import type { CheckReport, Report, ReportedFinding } from './types.ts';
import { pathOf } from './render-path.ts';
import { wrap } from './wrap.ts';

export interface View {
  readonly say: Say;
  readonly columns: number;
  readonly paint: (colour: 'green' | 'red' | 'yellow' | 'dim' | 'bold', text: string) => string;
  /** Also what a deeper fault explains, and what each finding rests on. */
  readonly isVerbose: boolean;
}

/** People read so many, and mend one. */
const SHOWN = 3;

/** What was found, for a person who does not know these words: the answer first, then the worst, then what works anyway. */
export function renderReport(report: Report, view: View): string {
  const findings = report.findings.filter(({ dependsOn }) => view.isVerbose || dependsOn.length === 0);
  const shown = view.isVerbose ? findings : findings.slice(0, SHOWN);
  const blocks = [
    headOf(report, view),
    verdictOf(report, view),
    pathOf(report, view),
    ...shown.map((finding, index) => findingOf(finding, index + 1, view)),
    report.checks.map((check) => checkOf(check, report.checks, view)),
    ...(view.isVerbose ? [evidenceOf(report, view)] : []),
    [tailOf(report, findings.length - shown.length, view)],
  ];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function headOf({ durationMs, changes }: Report, { say }: View): string[] {
  const seconds = (durationMs / 1000).toFixed(durationMs < 10_000 ? 1 : 0);
  const changed = changes.length === 0 ? text('report.unchanged') : text('report.changed');
  return [say(text('report.head', { seconds, changed })), ...changes.map((change) => `  ${change}`)];
}

const WAYS = ['clearnet', 'wireguard', 'relay', 'onion'] as const;

function verdictOf(report: Report, view: View): string[] {
  const { say, columns } = view;
  const { reachable } = report.verdict;
  const named = (answer: string): string =>
    WAYS.filter((way) => reachable[way] === answer)
      .map((way) => say(text(`way.${way}`)))
      .join(', ');
  const sentences = (
    [
      ['no', 'report.not', 'red'],
      ['degraded', 'report.partly', 'yellow'],
      ['yes', 'report.reachable', 'green'],
      ['unknown', 'report.unproved', 'yellow'],
    ] as const
  ).flatMap(([answer, key, colour]) => {
    const ways = named(answer);
    return ways === '' ? [] : wrap(say(text(key, { ways })), columns).map((line) => view.paint(colour, line));
  });
  return sentences.length > 0 ? sentences : wrap(say(text(withoutWays(report))), columns);
}

/** No way in is configured, or nobody could say: then this is about the line alone. */
function withoutWays({ findings, checks }: Report): MessageKey {
  if (checks.every(({ name }) => name === 'leaks')) return 'leaks.alone';
  if (findings.some(({ severity }) => severity !== 'note')) return 'report.line-trouble';
  const isLineThere = checks.some(({ name, state }) => name === 'web' && state === 'ok');
  return isLineThere ? 'report.line-fine' : 'report.no-ways';
}

const MARKS = { error: '✗', warning: '!', note: 'i', ok: '✓', unknown: '?', skipped: '–' } as const;
const COLOURS = {
  error: 'red',
  warning: 'yellow',
  note: 'dim',
  ok: 'green',
  unknown: 'yellow',
  skipped: 'dim',
} as const;

function mark(state: CheckReport['state'], { paint }: View): string {
  return paint(COLOURS[state], `[${MARKS[state]}]`);
}

function findingOf(finding: ReportedFinding, number: number, view: View): string[] {
  const { say, columns, paint, isVerbose } = view;
  const title = wrap(`${number}. ${finding.title}`, columns - 4, 3);
  const body = (key: MessageKey, values: Values): string[] =>
    wrap(say(text(key, values)), columns - 7, 2).map((line) => `       ${line}`);
  return [
    ...title.map(
      (line, index) => `${index === 0 ? mark(finding.severity, view) : '   '} ${paint('bold', line)}`,
    ),
    ...body('report.seen', { seen: finding.seen }),
    ...(finding.fix.length === 0 ? [] : body('report.fix', {})),
    ...finding.fix.flatMap((step, index) => stepOf(step, index + 1, view)),
    ...body('report.check', { command: finding.verify }),
    ...(isVerbose ? [`       ${finding.code} · ${finding.because.join(', ')}`] : []),
  ];
}

function stepOf(step: ReportedFinding['fix'][number], number: number, { say, columns }: View): string[] {
  const words = step.who === 'provider' ? say(text('report.by-provider', { step: step.text })) : step.text;
  const lines = wrap(`${number}. ${words}`, columns - 9, 3).map((line) => `         ${line}`);
  return step.command === undefined ? lines : [...lines, `              ${step.command}`];
}

function checkOf(check: CheckReport, all: readonly CheckReport[], view: View): string {
  const width = Math.max(...all.map(({ title }) => title.length));
  const lines = wrap(check.text, view.columns - width - 6);
  const [first = '', ...more] = lines;
  const rest = more.map((line) => `\n${' '.repeat(width + 6)}${line}`).join('');
  return `${mark(check.state, view)} ${check.title.padEnd(width)}  ${first}${rest}`;
}

function evidenceOf({ evidence }: Report, { say }: View): string[] {
  return [
    say(text('report.evidence')),
    ...evidence.map(({ id, method, raw }) => `  ${id} (${method}): ${harmless(JSON.stringify(raw))}`),
  ];
}

function tailOf({ findings }: Report, left: number, { say, columns }: View): string {
  const open = findings.filter(({ severity, dependsOn }) => severity !== 'note' && dependsOn.length === 0);
  const hidden = findings.filter(({ dependsOn }) => dependsOn.length > 0).length;
  const sentences = [
    open.length === 0 ? text('report.nothing-to-do') : text('report.problems', { count: open.length }),
    ...(left > 0 ? [text('report.more', { count: left })] : []),
    ...(hidden > 0 ? [text('report.hidden', { count: hidden })] : []),
    text('report.details'),
  ];
  return wrap(sentences.map(say).join(' '), columns).join('\n');
}
