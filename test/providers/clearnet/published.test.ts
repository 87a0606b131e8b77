import { expect, it } from 'vitest';
import { clearnet } from '../../../providers/clearnet/index.ts';
import type { Exposure, Fact } from '../../../src/core/contract.ts';
import type { Options } from '../../../providers/clearnet/spec.ts';

const exposure: Exposure<Options> = {
  service: {
    name: 'shop',
    kind: 'http',
    privacy: 'open',
    port: 80,
    place: { type: 'namespace', name: 'shop' },
    address: '10.64.1.2',
    dial: { host: '10.64.1.2', port: 80 },
  },
  options: { domain: 'pay.shop.test' },
};
const READY: Record<string, Fact> = {
  domain: 'pay.shop.test',
  running: true,
  name: 'right',
  nameReason: 'NameRight',
  nameMessage: 'pay.shop.test points to this home (11.2.0.2)',
  fingerprint: 'aa',
  certificate: 'valid',
  notAfter: '2027-02-18T00:00:00.000Z',
};
const published = (facts: Record<string, Fact>) =>
  clearnet.published(exposure, [
    { key: 'site:shop', spec: { service: 'shop', domain: 'pay.shop.test', mode: 'http' }, facts },
  ]);
const without = (...names: string[]): Record<string, Fact> =>
  Object.fromEntries(Object.entries(READY).filter(([name]) => !names.includes(name)));
const ordering = without('fingerprint', 'notAfter');

it('is published when the name leads here and there is a certificate', () => {
  expect(published(READY)).toEqual({
    status: 'yes',
    reason: 'NameAndCertificate',
    message: 'pay.shop.test points to this home (11.2.0.2), and its certificate is good until 2027-02-18',
  });
});

it.each([
  [{ ...READY, running: false }, 'no', 'EdgeNotRunning', 'HAProxy is not running'],
  [
    { ...READY, name: 'wrong', nameReason: 'NameElsewhere', nameMessage: 'it points to 11.9.9.9' },
    'no',
    'NameElsewhere',
    'it points to 11.9.9.9',
  ],
  [
    { ...READY, name: 'unknown', nameReason: 'NameUnknown', nameMessage: 'it was not found' },
    'unknown',
    'NameUnknown',
    'it was not found',
  ],
  [{ ...ordering, certificate: 'ordering' }, 'no', 'CertificatePending', 'is being ordered'],
  [{ ...ordering, certificate: 'valid' }, 'no', 'CertificatePending', 'is being handed to HAProxy'],
  [
    { ...ordering, certificate: 'failing', certificateProblem: 'port 80 is closed; open it' },
    'no',
    'CertificateFailing',
    'there is no certificate for pay.shop.test yet: port 80 is closed; open it',
  ],
  [
    { ...READY, certificate: 'failing', certificateProblem: 'the authority is away' },
    'no',
    'CertificateFailing',
    'the certificate for pay.shop.test is over: the authority is away',
  ],
] as const)('%j is %s: %s', (facts, status, reason, message) => {
  expect(published(facts)).toMatchObject({ status, reason });
  expect(published(facts).message).toContain(message);
});

it('is not known before HAProxy answers for it', () => {
  expect(clearnet.published(exposure, [])).toMatchObject({ status: 'unknown', reason: 'SiteMissing' });
});
