import { expect, it } from 'vitest';
import { chooseUid, FIRST_UID, LAST_UID } from '../../src/core/service-user.ts';

it('gives each service of a gateway an id of its own, inside the range that nobody else uses', () => {
  const taken: number[] = [];
  for (let count = 0; count < LAST_UID - FIRST_UID + 1; count += 1) taken.push(chooseUid('gw', taken));
  expect(new Set(taken).size).toBe(taken.length);
  expect([Math.min(...taken), Math.max(...taken)]).toEqual([FIRST_UID, LAST_UID]);
  expect(() => chooseUid('gw', taken)).toThrow('in use');
});

it('keeps the services of gateways with other names apart', () => {
  const ofTen = (prefix: string): number[] => {
    const taken: number[] = [];
    for (let count = 0; count < 10; count += 1) taken.push(chooseUid(prefix, taken));
    return taken;
  };
  const all = ['gw', 'gx', 'gy', 'g', 'home', 'shop'].flatMap(ofTen);
  expect(new Set(all).size).toBe(all.length);
});
