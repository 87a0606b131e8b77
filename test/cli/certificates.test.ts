import { expect, it } from 'vitest';
import { renderCertificates } from '../../src/cli/render-certificates.ts';
import { certificate } from '../support/recording-control.ts';

it('a list says what is wrong, what to do, and which records keep others out', () => {
  const caa = { records: ['a.test. CAA 0 issue "acme.test; accounturi=x"'], published: 'no' as const };
  const problem = {
    message: 'acme.test refused:\u001b[2J no',
    hint: 'wait',
    retryAt: '2026-01-02T05:00:00.000Z',
  };
  const failing = { state: 'failing' as const, issuer: null, notAfter: null, renewAt: null, challenge: null };
  const text = renderCertificates([
    certificate('a.test', { caa }),
    certificate('b.test', { ...failing, problem, caa: { ...caa, published: 'yes' } }),
  ]);
  expect(text).not.toContain('\u001b');
  expect(text.split('\n')).toEqual([
    expect.stringMatching(/^NAME +STATE +ISSUER +UNTIL +NEXT TRY +PROVED BY$/),
    expect.stringMatching(/^a\.test +valid +Let's Encrypt +2026-04-02 03:00 +2026-03-03 03:00 +dns-01$/),
    expect.stringMatching(/^b\.test +failing +– +– +2026-01-02 05:00 +–$/),
    expect.stringMatching(/^! b\.test: acme\.test refused:.* no$/),
    '  next: wait',
    '',
    'So that nobody else gets a certificate for these names, publish these records:',
    '  a.test. CAA 0 issue "acme.test; accounturi=x"',
  ]);
});

it('nothing to list is said in a sentence', () => {
  expect(renderCertificates([])).toBe('No certificate is needed: no service has a public name.');
});
