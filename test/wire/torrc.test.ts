import { expect, it } from 'vitest';
import { torrcLineProblem, torrcLines } from '../../src/wire/torrc.ts';

it('lets the owner say what is the owner’s to say', () => {
  for (const line of [
    'UseBridges 1',
    'Bridge 192.0.2.1:443 0123456789ABCDEF0123456789ABCDEF01234567',
    'ClientTransportPlugin obfs4 exec /usr/bin/obfs4proxy',
    'DirAuthority auth0 orport=9001 no-v2 v3ident=AB 11.9.0.10:9030 CD',
    'TestingTorNetwork 1',
    'StrictNodes 1',
    'UseEntryGuards 1',
    'Log info file /var/log/x',
  ]) {
    expect([line, torrcLineProblem(line)]).toEqual([line, undefined]);
  }
});

it.each([
  'DataDirectory /tmp/x',
  'datadirectory /tmp/x',
  'DataDir /tmp/x',
  '+SocksPort 9050',
  '/SocksPort',
  'Socks 9050',
  'HiddenServiceDir /tmp/x',
  'HiddenServiceNonAnonymousMode 1',
  'Hidden x',
  'User root',
  'ControlPort 9051',
  'OutboundBindAddressExit 1.2.3.4',
  'OutboundBindAddress 1.2.3.4',
  '%include /etc/shadow',
  '__OwningControllerProcess 1',
  'Log notice \\',
  'Log\u0000 notice',
  'Nickname x\rUser root',
  '"User" root',
])('refuses %s', (line) => {
  expect(torrcLineProblem(line)).toBeDefined();
});

it('leaves comments and empty lines out', () => {
  expect(torrcLines('# a\n\n  UseBridges 1  \r\n#b\nStrictNodes 1')).toEqual([
    'UseBridges 1',
    'StrictNodes 1',
  ]);
});
