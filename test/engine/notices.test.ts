import { expect, it } from 'vitest';
import { noticesOf } from '../../src/engine/notices.ts';

it('says once what several resources say, and nothing for those that are silent', () => {
  const observed = (key: `${string}:${string}`, facts: Record<string, string>) => ({ key, spec: {}, facts });
  const world = new Map([
    ['tor', [observed('process:a', { notice: 'too old' }), observed('process:b', { notice: 'too old' })]],
    ['other', [observed('x:y', { address: 'z' }), observed('x:z', { notice: 'full' })]],
  ]);
  expect(noticesOf(world)).toEqual(['too old', 'full']);
});
