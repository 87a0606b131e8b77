import { expect, it } from 'vitest';
import { judgeExits, type ExitVisit } from '../../src/core/exits.ts';

/** Each word is one visit: `A+` carried by exit A, `B-` refused, `C.` silence, `A?x` x answered; a `t` in front: tried. */
function visits(words: string): ExitVisit[] {
  return words
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [, t, exit = '', sign = '', seen] = /^(t?)([A-Z])([-+.?!])(\w*)$/.exec(word) ?? [];
      const outcome = (
        { '+': 'carried', '-': 'refused', '.': 'silent', '?': 'other', '!': 'broken' } as const
      )[sign];
      if (outcome === undefined) throw new TypeError(word);
      return { exit, outcome, isTried: t === 't', ...(outcome === 'other' ? { seen: seen ?? '' } : {}) };
    });
}

it.each([
  ['', 'unknown'],
  ['A+', 'unknown'],
  ['A+ A+', 'unknown'],
  ['A+ B+', 'yes'],
  ['A+ B+ tC-', 'yes'],
  ['A+ tB- tC-', 'unknown'],
  ['A- B-', 'unknown'],
  ['tA- tA-', 'unknown'],
  ['tA- tB-', 'no'],
  ['tA. tB-', 'no'],
  ['tA! tB!', 'unknown'],
  ['tA?cert tB?cert', 'no'],
  ['tA?one tB?two', 'unknown'],
])('judges %j as %s', (words, verdict) => {
  expect(judgeExits(visits(words)).reachable).toBe(verdict);
});
