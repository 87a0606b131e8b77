import { describe, expect, it } from 'vitest';
import { caaRefusal, caaToPublish, isBound, isBoundToZone, type CaaRecord } from '../../src/core/caa.ts';

const asker = { identities: ['letsencrypt.org'], url: 'https://acme.test/acct/1' };
const issue = (value: string): CaaRecord => ({ tag: 'issue', value });
const wild = (value: string): CaaRecord => ({ tag: 'issuewild', value });

describe('CAA records', () => {
  it.each([
    ['none', [], 'a.test', undefined],
    ['ours', [issue('letsencrypt.org')], 'a.test', undefined],
    ['ours, in other letters', [issue(' LetsEncrypt.org ; ')], 'a.test', undefined],
    ['another and ours', [issue('other.test'), issue('letsencrypt.org')], 'a.test', undefined],
    ['another', [issue('other.test')], 'a.test', 'allow other.test, not letsencrypt.org'],
    ['nobody', [issue(';')], 'a.test', 'allow nobody'],
    ['our account', [issue(`letsencrypt.org; accounturi=${asker.url}`)], 'a.test', undefined],
    [
      'another account',
      [issue('letsencrypt.org; accounturi=https://acme.test/acct/2')],
      'a.test',
      'for the account https://acme.test/acct/2',
    ],
    ['our challenge', [issue('letsencrypt.org; validationmethods=dns-01,http-01')], 'a.test', undefined],
    [
      'another challenge',
      [issue('letsencrypt.org;validationmethods=dns-01')],
      'a.test',
      'allows dns-01, not',
    ],
    ['a wildcard, by issue', [issue('letsencrypt.org')], '*.a.test', undefined],
    ['a wildcard, by issuewild', [issue('letsencrypt.org'), wild(';')], '*.a.test', 'allow nobody'],
    ['a name beside issuewild', [issue('letsencrypt.org'), wild(';')], 'a.test', undefined],
  ] as const)('%s', (_what, records, name, said) => {
    const refusal = caaRefusal(records, name, asker, 'http-01');
    if (said === undefined) expect(refusal).toBeUndefined();
    else expect(refusal).toContain(said);
  });

  it('that we tell to publish let us in, and bind the name to us', () => {
    for (const name of ['a.test', '*.a.test']) {
      const [line = ''] = caaToPublish(name, [asker], ['dns-01', 'http-01']);
      const match = /^a\.test\. CAA 0 (issue|issuewild) "(.+)"$/.exec(line);
      const record = { tag: match?.[1] as CaaRecord['tag'], value: match?.[2] ?? '' };
      expect(caaRefusal([record], name, asker, 'http-01')).toBeUndefined();
      expect(caaRefusal([record], name, asker, 'tls-alpn-01')).toContain('not tls-alpn-01');
      expect(isBound([record], name, [asker])).toBe(true);
    }
    expect(isBound([issue('letsencrypt.org')], 'a.test', [asker])).toBe(false);
    expect(isBound([], 'a.test', [asker])).toBe(false);
  });

  it.each([
    [
      'our account, by the zone alone',
      [`letsencrypt.org; accounturi=${asker.url}; validationmethods=dns-01`],
      true,
    ],
    [
      'our account, by a page too',
      [`letsencrypt.org; accounturi=${asker.url}; validationmethods=dns-01,http-01`],
      false,
    ],
    ['our account, by anything', [`letsencrypt.org; accounturi=${asker.url}`], false],
    ['anybody, by the zone', ['letsencrypt.org; validationmethods=dns-01'], false],
    ['nobody', [';'], true],
    [
      'us, and another authority',
      [`letsencrypt.org; accounturi=${asker.url}; validationmethods=dns-01`, 'other.test'],
      false,
    ],
    ['whom they like', [], false],
  ])('let %s in, and so keep a relay from a certificate or not', (_who, values, isClosed) => {
    expect(isBoundToZone(values.map(issue), 'a.test', [asker])).toBe(isClosed);
  });
});
