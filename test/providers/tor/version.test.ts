import { expect, it } from 'vitest';
import { tor } from '../../../providers/tor/index.ts';
import { versionNotice } from '../../../providers/tor/version.ts';
import type { Service } from '../../../src/core/service.ts';
import { isOlder, parseTorVersion } from '../../../src/wire/torversion.ts';

it.each([
  ['Tor version 0.4.9.11.\nThis build of Tor …', '0.4.9.11'],
  ['0.4.8.12 (git-8a3fc0a4)', '0.4.8.12'],
  ['Tor version 0.4.9.3-alpha-dev (git-1).', '0.4.9.3-alpha-dev'],
  ['bash: tor: command not found', undefined],
])('reads %j', (text, version) => {
  expect(parseTorVersion(text)?.text).toBe(version);
});

it.each([
  ['0.4.9.10', '0.4.9.11', true],
  ['0.4.9.11', '0.4.9.11', false],
  ['0.4.10.1', '0.4.9.11', false],
  ['0.4.9.11-rc', '0.4.9.11', true],
  ['0.4.9.9', '0.4.9.11', true],
])('%s is older than %s: %s', (a, b, older) => {
  const [first, second] = [parseTorVersion(a), parseTorVersion(b)];
  expect(first !== undefined && second !== undefined && isOlder(first, second)).toBe(older);
});

it.each<[string, Parameters<typeof versionNotice>[0], RegExp | undefined]>([
  ['one that is fine', { running: '0.4.9.11', installed: '0.4.9.11', opinion: 'recommended' }, undefined],
  ['one the directory does not know', { running: '0.4.9.12', opinion: 'new in series' }, undefined],
  ['nothing known', {}, undefined],
  [
    'too old, running',
    { running: '0.4.9.10' },
    /^tor 0\.4\.9\.10 is too old: .*#41297\); install tor 0\.4\.9\.11/,
  ],
  ['too old, before it ever ran', { installed: '0.4.9.9' }, /^tor 0\.4\.9\.9 is too old/],
  ['of a series that ended', { running: '0.4.8.14' }, /series 0\.4\.8 has reached its end of life/],
  [
    'upgraded, but not restarted',
    { running: '0.4.8.14', installed: '0.4.9.11' },
    /0\.4\.9\.11 is installed but not running yet/,
  ],
  ['downgraded', { running: '0.4.9.11', installed: '0.4.7.16' }, /^tor 0\.4\.7\.16 is too old/],
  [
    'obsolete by the directory',
    { running: '0.4.9.12', opinion: 'obsolete' },
    /no longer recommends tor 0\.4\.9\.12/,
  ],
])('says of %s what is to be said', (_what, versions, expected) => {
  if (expected === undefined) expect(versionNotice(versions)).toBeUndefined();
  else expect(versionNotice(versions)).toMatch(expected);
});

it('names the old tor where it does not get on, before anybody looks elsewhere', () => {
  const service: Service = {
    name: 'shop',
    kind: 'http',
    privacy: 'open',
    port: 80,
    place: { type: 'namespace', name: 'shop' },
    address: '10.64.1.2',
    dial: { host: '10.64.1.2', port: 80 },
  };
  const facts = { running: true, bootstrap: 30, summary: 'Loading', notice: 'tor 0.4.7.16 is too old' };
  const process = {
    key: 'process:tor',
    spec: { type: 'process', instance: 'tor', torrc: undefined },
    facts,
  } as const;
  expect(
    tor.published({ service, options: { anonymity: 'full', proofOfWork: 'on' } }, [process]).message,
  ).toMatch(/30 %.*tor 0\.4\.7\.16 is too old/);
});
