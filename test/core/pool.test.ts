import { expect, it } from 'vitest';
import { choosePool } from '../../src/core/pool.ts';

it('takes the first block that no route of the host overlaps', () => {
  expect(choosePool([])).toBe('10.64.0.0/20');
  expect(choosePool(['192.168.1.0/24', '10.64.3.7'])).toBe('10.65.0.0/20');
  expect(choosePool(['10.64.0.0/10'])).toBeUndefined();
  expect(choosePool(['10.64.16.0/20', '10.63.0.0/16'])).toBe('10.64.0.0/20');
});

it('is not misled by a VPN that routes everything in two halves', () => {
  expect(choosePool(['0.0.0.0/1', '128.0.0.0/1'])).toBe('10.64.0.0/20');
});
