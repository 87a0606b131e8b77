import type { CertificateReport } from '../core/certificate.ts';
import { table } from './table.ts';
import { plain } from './terminal.ts';

/** What authorities say is foreign text. Pure. */
export function renderCertificates(reports: readonly CertificateReport[]): string {
  if (reports.length === 0) return 'No certificate is needed: no service has a public name.';
  const rows = reports.map(({ name, state, issuer, notAfter, renewAt, challenge, problem }) => [
    name,
    state,
    plain(issuer ?? '–'),
    minuteOf(notAfter),
    minuteOf(problem?.retryAt ?? renewAt),
    challenge ?? '–',
  ]);
  const list = table(['NAME', 'STATE', 'ISSUER', 'UNTIL', 'NEXT TRY', 'PROVED BY'], rows);
  return [...list, ...reports.flatMap(notesOf), ...recordsOf(reports)].join('\n');
}

function notesOf({ name, problem }: CertificateReport): string[] {
  if (problem === null) return [];
  const next = problem.hint === null ? [] : [`  next: ${plain(problem.hint)}`];
  return [`! ${name}: ${plain(problem.message)}`, ...next];
}

function recordsOf(reports: readonly CertificateReport[]): string[] {
  const open = reports.flatMap(({ caa }) => (caa === null || caa.published === 'yes' ? [] : caa.records));
  if (open.length === 0) return [];
  const why = 'So that nobody else gets a certificate for these names, publish these records:';
  return ['', why, ...[...new Set(open)].map((record) => `  ${plain(record)}`)];
}

function minuteOf(time: string | null): string {
  return time?.slice(0, 16).replace('T', ' ') ?? '–';
}
