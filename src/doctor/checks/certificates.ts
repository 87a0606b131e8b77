import type { CertificateReport } from '../../core/certificate.ts';
import type { Check, Finding } from '../check.ts';
import { text } from '../messages/message.ts';

const DAY_MS = 86_400_000;
/** Renewal is tried from a third of the life on: whoever is so near to the end has failed for weeks. */
const SOON_DAYS = 7;

/** Certificates of pages: that there is one, and that it is renewed in time. */
export const certificates: Check = {
  name: 'certificates',
  title: 'certificates.name',
  needs: ['gateway'],
  deadlineMs: 7500,
  run: async ({ world, signal, see }) => {
    const all = await world.ask<CertificateReport[]>('/v1/certificates', signal);
    if (all.length === 0) return { text: text('certificates.none') };
    const id = see('certificates', 'api', all);
    const daysLeft = ({ notAfter }: CertificateReport): number =>
      notAfter === null ? 0 : Math.floor((Date.parse(notAfter) - world.now()) / DAY_MS);
    const findings = all.flatMap((one) => findingOf(one, daysLeft(one), id));
    if (all.some(({ state }) => state === 'ordering'))
      return { text: text('certificates.ordering'), isUnknown: true, findings };
    const count = Math.min(...all.map(daysLeft));
    const names = all.map(({ name }) => name).join(', ');
    return { text: text('certificates.valid', { names, count }), findings };
  },
};

function findingOf({ name, state, problem }: CertificateReport, days: number, evidence: string): Finding[] {
  const values = { name, why: problem?.message ?? '', count: days };
  const fix: Finding['fix'] = [
    ...(problem?.hint == null
      ? []
      : [{ text: text('certificates.fix.hint', { hint: problem.hint }), who: 'you' as const }]),
    { text: text('certificates.fix.again'), command: `gateway certificate renew ${name}`, who: 'you' },
  ];
  if (state === 'failing') return [{ code: 'CERTIFICATE_NONE', values, because: [evidence], fix }];
  if (state === 'valid' && problem !== null && days < SOON_DAYS)
    return [{ code: 'CERTIFICATE_ENDS', values, because: [evidence], fix }];
  return [];
}
