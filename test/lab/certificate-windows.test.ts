import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Authority } from '../../src/core/certificate.ts';
import { LAB_EAB } from '../../src/lab/acme.ts';
import { CertifierLab, HOME } from '../support/certifier-lab.ts';

/** Pebble of a later release: it wants accounts bound to what it knows of the owner, has profiles, and says when a certificate should be renewed (RFC 9773). */
const signal = AbortSignal.timeout(110_000);
const DAY = 86_400_000;
const NAME = 'home.lab.test';
let certifier: CertifierLab;

beforeAll(async () => {
  const profiles = { classic: 90 * 86_400, shortlived: 6 * 86_400 };
  certifier = await CertifierLab.start({ release: 'later', profiles, eab: true }, signal);
}, 60_000);
afterAll(() => certifier?.stop());

function daysOf(name: string): number | undefined {
  const report = certifier.report(name);
  if (report?.notBefore == null || report.notAfter === null) return undefined;
  return Math.round((Date.parse(report.notAfter) - Date.parse(report.notBefore)) / DAY);
}

/** The key that Pebble knows, as its owner would put it into a file. */
function terms(profile: string): Partial<Authority> {
  return { profile, eab: { kid: LAB_EAB.kid, key: certifier.file('eab.key', `${LAB_EAB.hmacKey}\n`) } };
}

it('an authority that knows no strangers says so, and which line is missing', async () => {
  const kill = await certifier.run([certifier.spec(NAME, ['http-01'])]);
  const hint = (): string | null | undefined => certifier.report(NAME)?.problem?.hint;
  await expect.poll(hint, { timeout: 20_000 }).toContain('set certificates.eab in gateway.yaml');
  kill();
}, 40_000);

it('the profile that is configured is asked for, and one that is not offered is named', async () => {
  const kill = await certifier.run([
    certifier.spec(NAME, ['http-01'], terms('classic')),
    certifier.spec(HOME, ['http-01'], terms('shortlived')),
    certifier.spec('b.home.lab.test', ['http-01'], terms('eternal')),
  ]);
  await expect.poll(() => [daysOf(NAME), daysOf(HOME)], { timeout: 20_000 }).toEqual([90, 6]);
  const problem = (): string | undefined => certifier.report('b.home.lab.test')?.problem?.message;
  await expect.poll(problem).toContain('has no profile eternal, only');
  kill();
}, 40_000);

it('a certificate is renewed when its authority says: now', async () => {
  const before = certifier.report(NAME)?.fingerprint;
  await certifier.advise(NAME, new Date(Date.now() - 2 * DAY), new Date(Date.now() - DAY), signal);
  // A day later, when it asks again.
  const kill = await certifier.run([certifier.spec(NAME, ['http-01'], terms('classic'))], DAY + 60_000);
  await expect
    .poll(() => certifier.seen().events.filter((event) => event.includes('advises')), { timeout: 20_000 })
    .toHaveLength(1);
  const isRenewed = (): boolean => {
    const { state, fingerprint, problem } = certifier.report(NAME) ?? {};
    return state === 'valid' && fingerprint !== before && problem === null;
  };
  await expect.poll(isRenewed, { timeout: 20_000 }).toBe(true);
  kill();
}, 60_000);
