import { shownNames } from './certificate.ts';
import type { Context, Fact, Published } from './contract.ts';
import { GatewayError } from './errors.ts';
import type { Ports } from './ports.ts';

/** What is known of a page at a public name, as facts of whatever makes it; shared by the providers that have pages. */
export type Facts = Readonly<Record<string, Fact>>;

/** Of the certificate that is kept for it; empty while none is. */
export async function certificateFacts(
  domain: string,
  { certifier }: Pick<Ports, 'certifier'>,
): Promise<Record<string, Fact>> {
  const report = (await certifier.kept()).find(({ spec }) => shownNames(spec).includes(domain))?.report;
  if (report === undefined) return {};
  const { state, notAfter, problem } = report;
  const why = problem === null ? undefined : [problem.message, problem.hint].filter(Boolean).join('; ');
  return {
    certificate: state,
    ...(notAfter === null ? {} : { notAfter }),
    ...(why === undefined ? {} : { certificateProblem: why }),
  };
}

/**
 * Why a browser would not trust the page; `undefined` when it would.
 *
 *   HAProxy shows one | what is held    | said
 *   ------------------+-----------------+--------------------------
 *   yes               | valid           | nothing
 *   either            | over            | why it was not renewed
 *   no                | none, not tried | it is being ordered
 *   no                | none, tried     | why there is none
 *   no                | valid           | it is being handed over
 */
export function certificateTrouble(facts: Facts): Published | undefined {
  const state = facts['certificate'];
  const isShown = facts['fingerprint'] !== undefined;
  const domain = text(facts, 'domain');
  if (isShown && state !== 'failing') return undefined;
  const why = text(facts, 'certificateProblem');
  if (state !== 'failing') {
    const next = state === 'valid' ? 'is being handed to HAProxy' : 'is being ordered';
    const message = `the certificate for ${domain} ${next}${why === '' ? '' : `: ${why}`}`;
    return { status: 'no', reason: 'CertificatePending', message };
  }
  const what = isShown
    ? `the certificate for ${domain} is over`
    : `there is no certificate for ${domain} yet`;
  return { status: 'no', reason: 'CertificateFailing', message: `${what}: ${why}` };
}

export function text(facts: Facts, name: string): string {
  const value = facts[name];
  return typeof value === 'string' ? value : '';
}

/** Browsers may be told to come by https alone. That this could not be noted takes nothing from the proof. */
export async function noteProved(name: string, { ports, signal }: Context): Promise<void> {
  try {
    await ports.helper.call('edge.proved', { name }, signal);
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    ports.log('warn', 'that a page was proved could not be noted', { name, error: error.message });
  }
}
