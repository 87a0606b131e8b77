import { expect, it } from 'vitest';
import { judgeUploads } from '../../../providers/tor/announcing.ts';
import { NOTHING_UPLOADED, type DescriptorUploads } from '../../../src/core/descriptor.ts';

type Row = readonly [what: string, seen: Partial<DescriptorUploads>, open: string, asking: string];

const GIVEN = { directories: 10, confirmed: 10, isFindable: true };
const SOME = { directories: 10, confirmed: 6, isFindable: true };
const NONE = { directories: 10, confirmed: 0, isFindable: false };

it.each<Row>([
  ['nothing', {}, 'unknown', 'unknown'],
  ['a visitor who got in', { wasVisited: true }, 'yes', 'yes'],
  [
    'that tor has to begin',
    { ...GIVEN, confirmed: 0, isFindable: false, isExpected: true },
    'unknown',
    'unknown',
  ],
  ['all confirmed', { ...GIVEN, wasComplete: true }, 'yes', 'yes'],
  ['some confirmed', { ...SOME, waitingMs: 1000 }, 'yes', 'unknown'],
  ['some confirmed, late', { ...SOME, waitingMs: 20_000 }, 'yes', 'unknown, again'],
  ['none confirmed', { ...NONE, waitingMs: 1000 }, 'unknown', 'unknown'],
  ['none confirmed, late', { ...NONE, waitingMs: 20_000 }, 'no, again', 'no, again'],
  ['none confirmed, after a repeat', { ...NONE, waitingMs: 1000, repeats: 1 }, 'no', 'no'],
  [
    'none confirmed, long after a repeat',
    { ...NONE, waitingMs: 60_000, repeats: 1 },
    'no, again',
    'no, again',
  ],
  ['what was complete, renewed', { ...NONE, waitingMs: 1000, wasComplete: true }, 'yes', 'yes'],
  [
    'what was complete, renewed, late',
    { ...NONE, waitingMs: 20_000, wasComplete: true },
    'no, again',
    'no, again',
  ],
])('judges %s', (_what, seen, open, asking) => {
  const said = (isAsking: boolean): string => {
    const { published, again } = judgeUploads({ ...NOTHING_UPLOADED, ...seen }, isAsking);
    return again === undefined ? published.status : `${published.status}, again`;
  };
  expect([said(false), said(true)]).toEqual([open, asking]);
});

it('says how far it is, and what was refused', () => {
  const seen = { ...NOTHING_UPLOADED, ...SOME, waitingMs: 30_000, refusal: 'UPLOAD_REJECTED' };
  expect(judgeUploads(seen, true)).toMatchObject({
    published: { reason: 'DescriptorIncomplete' },
    again: '6 of 10 uploads of its descriptors are confirmed, one was refused (UPLOAD_REJECTED)',
  });
});
