import type { Finding, WayName } from './check.ts';
import type { Done } from './examine.ts';
import { explainersOf, FINDING_CODES, severityOf, verifyOf } from './findings.ts';
import { text, type MessageKey } from './messages/message.ts';
import type { Say } from './messages/say.ts';
import type { Answer, Mode, Report, ReportedFinding, Severity } from './types.ts';
import { SCHEMA } from './types.ts';

export interface Examined {
  readonly done: readonly Done[];
  /** Milliseconds since the epoch. */
  readonly begunAt: number;
  readonly durationMs: number;
  readonly mode: Mode;
}

/** What was found, in the words of one language. */
export function reportOf({ done, begunAt, durationMs, mode }: Examined, say: Say): Report {
  const found = done.flatMap(({ checked }) => checked?.findings ?? []);
  const present = new Set(found.map(({ code }) => code));
  const nat = done.find(({ checked }) => checked?.nat !== undefined)?.checked?.nat;
  const reachable = (name: WayName): Answer | null => {
    const said = done.flatMap(({ checked }) => checked?.reachable?.[name] ?? []);
    return said[0] ?? null;
  };
  return {
    schema: SCHEMA,
    time: new Date(begunAt).toISOString(),
    durationMs,
    mode,
    verdict: {
      reachable: {
        clearnet: reachable('clearnet'),
        wireguard: reachable('wireguard'),
        onion: reachable('onion'),
        relay: reachable('relay'),
      },
    },
    nat: nat === undefined ? null : withoutEvidence(nat),
    checks: done.map(({ check, state, text: line, durationMs: took }) => ({
      name: check.name,
      title: say(text(check.title)),
      state,
      text: say(line),
      durationMs: took,
    })),
    findings: worstFirst(found).map((finding) => inWords(finding, present, say)),
    evidence: [...done.flatMap(({ evidence }) => evidence), ...(nat?.evidence ?? [])],
    changes: [],
  };
}

function withoutEvidence({ evidence: _evidence, ...nat }: NonNullable<Done['checked']>['nat'] & object) {
  return nat;
}

const RANK: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };

function worstFirst(found: readonly Finding[]): Finding[] {
  const severity = (finding: Finding): number => RANK[finding.severity ?? severityOf(finding.code)];
  return found.toSorted(
    (a, b) => severity(a) - severity(b) || FINDING_CODES.indexOf(a.code) - FINDING_CODES.indexOf(b.code),
  );
}

function inWords(finding: Finding, present: ReadonlySet<string>, say: Say): ReportedFinding {
  const { code, values, because, fix } = finding;
  const part = (name: 'title' | 'seen'): string => say(text(`${code}.${name}` satisfies MessageKey, values));
  return {
    code,
    severity: finding.severity ?? severityOf(code),
    title: part('title'),
    seen: part('seen'),
    because: [...because],
    dependsOn: explainersOf(code).filter((other) => present.has(other)),
    fix: fix.map(({ text: step, command, who }) => ({
      text: say(step),
      ...(command === undefined ? {} : { command }),
      who,
    })),
    verify: verifyOf(code),
  };
}

/**
 *   what was found                                            | exit code
 *   ----------------------------------------------------------+-----------
 *   a configured way does not work, or not wholly             | 2
 *   ways are configured, and there is an error                | 2
 *   … could not be tried; or nothing could be asked at all    | 3
 *   any other error or warning                                | 1, with `strict` 2
 *   nothing                                                   | 0
 */
export function exitCodeOf({ verdict, checks, findings }: Report, isStrict: boolean): 0 | 1 | 2 | 3 {
  const ways = Object.values(verdict.reachable);
  if (ways.includes('no') || ways.includes('degraded')) return 2;
  const isConfigured = ways.some((way) => way !== null);
  if (isConfigured && findings.some(({ severity }) => severity === 'error')) return 2;
  if (ways.includes('unknown') || checks.every(({ state }) => state === 'unknown' || state === 'skipped'))
    return 3;
  if (findings.every(({ severity }) => severity === 'note')) return 0;
  return isStrict ? 2 : 1;
}
