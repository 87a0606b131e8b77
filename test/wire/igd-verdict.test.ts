import { expect, it } from 'vitest';
import type { AskedMapping, IgdEntry } from '../../src/wire/igd-mapping.ts';
import { judgeReadBack, leaseOf, type ReadBack } from '../../src/wire/igd-verdict.ts';

const ASKED: AskedMapping = {
  transport: 'udp',
  externalPort: 51_820,
  internalPort: 51_820,
  internalClient: '192.168.1.20',
  description: 'Gateway',
  leaseSeconds: 3600,
};
const listed = (changes: Partial<IgdEntry> = {}): IgdEntry => {
  const { leaseSeconds, ...same } = ASKED;
  return { ...same, isEnabled: true, leaseSeconds, ...changes };
};

it.each<[string, ReadBack, number, string]>([
  ['as asked', listed(), 3600, 'good'],
  ['a few seconds less', listed({ leaseSeconds: 3595 }), 3600, 'good'],
  ['no end, or none told', listed({ leaseSeconds: 0 }), 3600, 'good'],
  ['a lease that it does not tell', listed({ leaseSeconds: undefined }), 3600, 'good'],
  ['a week', listed({ leaseSeconds: 604_800 }), 3600, 'good'],
  ['another description', listed({ description: 'UPnP' }), 3600, 'good'],
  ['half of it: a repeat did not extend', listed({ leaseSeconds: 1800 }), 3600, 'replace'],
  ['what it granted before', listed({ leaseSeconds: 600 }), 600, 'good'],
  ['our own, to an old address', listed({ internalClient: '192.168.1.7' }), 3600, 'replace'],
  [
    'another host',
    listed({ internalClient: '192.168.1.7', description: 'games' }),
    3600,
    'belongs-to-another',
  ],
  ['another port of ours', listed({ internalPort: 80, description: 'games' }), 3600, 'belongs-to-another'],
  ['switched off', listed({ isEnabled: false }), 3600, 'is-disabled'],
  ['nothing', 'nothing', 3600, 'drop-lease'],
  ['no answer', 'unanswered', 3600, 'good'],
])('a lease was asked, listed is %s', (_what, found, expected, verdict) => {
  expect(judgeReadBack(ASKED, found, expected)).toBe(verdict);
});

it('without a lease, what is not listed is not there', () => {
  expect(judgeReadBack({ ...ASKED, leaseSeconds: 0 }, 'nothing', 0)).toBe('is-missing');
});

it('relies on what is listed, and never on more than was asked', () => {
  expect(leaseOf(3600, listed({ leaseSeconds: 600 }))).toBe(600);
  expect(leaseOf(3600, listed({ leaseSeconds: 604_800 }))).toBe(3600);
  expect(leaseOf(3600, listed({ leaseSeconds: 0 }))).toBe(3600);
  expect(leaseOf(3600, 'unanswered')).toBe(3600);
  expect(leaseOf(0, listed({ leaseSeconds: 604_800 }))).toBe(604_800);
  expect(leaseOf(0, listed({ leaseSeconds: 0 }))).toBe(0);
});
