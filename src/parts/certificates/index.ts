import {
  CHALLENGES,
  isCovered,
  isIpName,
  shownNames,
  type CertificateReport,
  type CertificateSpec,
} from '../../core/certificate.ts';
import { authoritiesOf, CertificateSettings } from '../../core/certificate-config.ts';
import type {
  Change,
  Compiled,
  CertificateWant,
  CompileInput,
  Context,
  Fact,
  Observed,
  Part,
  Resource,
} from '../../core/contract.ts';

/** `certificate:pay.shop.test`, `certificate:*.shop.test`: kept valid, however many services want it. What it is now, is learned: facts. */
type Spec = CertificateSpec;

/**
 * Owner of the certificates of public names. An authority that refuses is no failed change: the certifier goes on asking
 * and renews by itself, and the facts say what there is.
 */
export const certificatesPart: Part<Spec> = {
  id: 'certificates',
  kinds: ['certificate'],
  compile,
  observe,
  apply,
  describe,
  // The certifier is the daemon's; certificates outlive both.
  close: async () => {},
};

function compile({ wants, settings }: CompileInput): Compiled<Spec> {
  const mine = wants.filter((want) => want.part === 'certificates');
  const terms = CertificateSettings.parse(settings);
  const groups = [...Map.groupBy(mine, (want) => certificateFor(want, terms.wildcards))].sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const resources = groups.map(([name, group]): Resource<Spec> => {
    const wanted = new Set(group.flatMap(({ challenges }) => challenges));
    const shownAt = [...new Set(group.map((want) => want.name))].sort();
    const isOwn = shownAt.length === 1 && shownAt[0] === name;
    return {
      key: `certificate:${name}`,
      spec: {
        name,
        ...(isOwn ? {} : { shownAt }),
        challenges: CHALLENGES.filter((challenge) => wanted.has(challenge)),
        authorities: authoritiesOf(terms, isIpName(name)),
      },
      neededBy: [...new Set(group.map(({ service }) => service))].sort(),
    };
  });
  return { resources, wants: [], problems: [], ledger: {} };
}

/** The name itself, or a wildcard that stands for it. */
function certificateFor({ name, challenges }: CertificateWant, wildcards: readonly string[]): string {
  const wildcard = wildcards.find((each) => isCovered(name, each));
  return wildcard !== undefined && challenges.includes('dns-01') ? wildcard : name;
}

/** One that HAProxy was given and has no more, or damaged, is given to it again. */
async function observe({ ports, signal }: Context): Promise<Observed<Spec>[]> {
  const kept = await ports.certifier.kept();
  if (kept.length === 0) return [];
  const { certificates } = await ports.helper.call('edge.observe', {}, signal);
  const shown = new Set(certificates.map(({ name, fingerprint }) => `${name} ${fingerprint}`));
  return kept.map(({ spec, report }) => {
    const { state, fingerprint } = report;
    const isLost =
      state === 'valid' && !shownNames(spec).every((name) => shown.has(`${name} ${fingerprint}`));
    const renew = isLost ? { renew: 'HAProxy does not have it' } : {};
    return { key: `certificate:${spec.name}`, spec, facts: factsOf(report), ...renew };
  });
}

function factsOf({
  state,
  issuer,
  notAfter,
  renewAt,
  fingerprint,
  problem,
}: CertificateReport): Record<string, Fact> {
  const facts = { state, issuer, notAfter, renewAt, fingerprint, problem: problem?.message ?? null };
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}

async function apply(change: Change<Spec>, { ports, signal }: Context): Promise<void> {
  if (change.op === 'delete') await ports.certifier.release(change.have.spec.name, signal);
  else await ports.certifier.keep(change.want.spec, signal);
}

function describe(change: Change<Spec>): string {
  if (change.op === 'delete') return `show the certificate for ${change.have.spec.name} to nobody any more`;
  const { name, shownAt } = change.want.spec;
  return `keep a certificate for ${name}${shownAt === undefined ? '' : `, shown at ${shownAt.join(', ')}`}`;
}
