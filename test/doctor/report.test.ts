import { expect, it } from 'vitest';
import type { Check, Checked } from '../../src/doctor/check.ts';
import { examine } from '../../src/doctor/examine.ts';
import { explainersOf, FINDING_CODES, type FindingCode } from '../../src/doctor/findings.ts';
import { text } from '../../src/doctor/messages/message.ts';
import { sayIn } from '../../src/doctor/messages/say.ts';
import { renderReport } from '../../src/doctor/render.ts';
import { exitCodeOf, reportOf } from '../../src/doctor/report.ts';
import { Report } from '../../src/doctor/types.ts';
import type { World } from '../../src/doctor/world.ts';

const say = sayIn('en');
const world = {
  now: () => 0,
  gateway: () => Promise.resolve({ state: 'none', why: '' }),
} as unknown as World;

function check(name: string, run: Check['run'], more: Partial<Check> = {}): Check {
  return { name, title: 'disk.name', needs: [], deadlineMs: 200, run, ...more };
}

const found = (...codes: FindingCode[]): Checked => ({
  text: text('clock.right'),
  findings: codes.map((code) => ({ code, values: {}, because: [], fix: [] })),
});

async function reportFrom(checks: readonly Check[], isOffline = false): Promise<Report> {
  const signal = AbortSignal.timeout(5000);
  const done = await examine({ checks, world, mode: 'quick', isOffline, signal, onDone: () => undefined });
  return Report.parse(reportOf({ done, begunAt: 0, durationMs: 1, mode: 'quick' }, say));
}

it('is whole although a check hangs, one breaks, and one lacks what it needs', async () => {
  const report = await reportFrom(
    [
      check('hangs', () => new Promise(() => undefined)),
      check('breaks', () => Promise.reject(new Error('no such thing'))),
      check('outside', () => Promise.resolve(found()), { needs: ['outside'] }),
      check('gateway', () => Promise.resolve(found()), { needs: ['gateway'] }),
      check('fine', (context) => {
        context.see('it', 'looking', { at: 1 });
        return Promise.resolve(found());
      }),
    ],
    true,
  );
  expect(report.checks.map(({ name, state, text: line }) => `${name} ${state} ${line}`)).toEqual([
    'hangs unknown no answer within 0 s',
    'breaks unknown could not be found out: no such thing',
    'outside skipped not asked: it needs machines outside, and you said --offline',
    'gateway skipped no gateway is set up on this machine',
    'fine ok right',
  ]);
  expect(report.evidence).toMatchObject([{ id: 'fine.it', method: 'looking', raw: { at: 1 } }]);
});

it('ends at once when it is interrupted', async () => {
  const hanging = check('hangs', () => new Promise(() => undefined), { deadlineMs: 60_000 });
  const signal = AbortSignal.timeout(20);
  const asked = { checks: [hanging], world, mode: 'quick' as const, isOffline: false, signal };
  await expect(examine({ ...asked, onDone: () => undefined })).rejects.toMatchObject({ code: 'Aborted' });
});

it('shows the worst first, and hides what a deeper fault explains', async () => {
  const report = await reportFrom([
    check('a', () => Promise.resolve(found('UDP_BLOCKED', 'CLOCK_OFF'))),
    check('b', () => Promise.resolve(found('DNS_SILENT', 'ROUTE_NONE'))),
  ]);
  expect(report.findings.map(({ code, dependsOn }) => [code, dependsOn])).toEqual([
    ['ROUTE_NONE', []],
    ['DNS_SILENT', ['ROUTE_NONE']],
    ['CLOCK_OFF', []],
    ['UDP_BLOCKED', ['ROUTE_NONE']],
  ]);
  const view = { say, columns: 80, paint: (_: string, words: string) => words, isVerbose: false };
  const shown = renderReport(report, view);
  expect(shown).toContain('[✗] 1. This machine is not connected to any network');
  expect(shown).toContain('[!] 2. ');
  expect(shown).not.toContain('3. ');
  expect(shown).toContain('2 problems need you. 2 more will probably be gone with these.');
  expect(shown.split('\n').every((line) => line.length <= 80)).toBe(true);
  expect(renderReport(report, { ...view, isVerbose: true })).toContain('[!] 4. ');
});

it.each<[string, readonly Checked[], boolean, number]>([
  ['nothing', [found()], false, 0],
  ['a note', [found('GATEWAY_FILE_DIFFERS')], false, 0],
  ['a warning', [found('CLOCK_OFF')], false, 1],
  ['a warning, strictly', [found('CLOCK_OFF')], true, 2],
  ['an error with no way configured', [found('DISK_FULL')], false, 1],
  ['a way that does not work', [{ ...found(), reachable: { onion: 'no' } }], false, 2],
  ['a way that works for some', [{ ...found(), reachable: { onion: 'degraded' } }], false, 2],
  [
    'an error that no way can live with',
    [{ ...found('CLOCK_WRONG'), reachable: { onion: 'unknown' } }],
    false,
    2,
  ],
  ['a way nobody tried', [{ ...found('CLOCK_OFF'), reachable: { onion: 'unknown' } }], false, 3],
  ['all ways proved', [{ ...found(), reachable: { onion: 'yes' } }], false, 0],
  ['nobody to ask', [{ text: text('clock.unknown'), isUnknown: true }], false, 3],
])('exits for %s', async (_, checked, isStrict, code) => {
  const report = await reportFrom(checked.map((one, index) => check(`${index}`, () => Promise.resolve(one))));
  expect(exitCodeOf(report, isStrict)).toBe(code);
});

it('knows every code that explains another, and none explains itself', () => {
  const codes: readonly string[] = FINDING_CODES;
  for (const code of FINDING_CODES) {
    for (const other of explainersOf(code)) expect(codes, `${code} by ${other}`).toContain(other);
    const reached = new Set<string>();
    const follow = (from: FindingCode): void =>
      explainersOf(from).forEach((other) => {
        if (reached.has(other)) return;
        reached.add(other);
        follow(other as FindingCode);
      });
    follow(code);
    expect(reached.has(code), `${code} is hidden by itself`).toBe(false);
  }
});
