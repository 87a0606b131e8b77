import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';

it('shows itself nowhere but by reveal()', () => {
  const secret = new Secret('canary');
  const shown = [String(secret), JSON.stringify({ secret }), inspect(secret), inspect({ deep: { secret } })];
  for (const text of shown) {
    expect(text).not.toContain('canary');
    expect(text).toContain('redacted');
  }
  expect(secret.reveal()).toBe('canary');
});
