import { expect, it } from 'vitest';
import { z } from 'zod';
import { Report, SCHEMA } from '../../src/doctor/types.ts';

/** What others may rely on: taking a name away, or making one optional, needs another number. */
it('promises these names in schema 1', () => {
  expect(SCHEMA).toBe(1);
  const { properties, required } = z.toJSONSchema(Report) as {
    properties: Record<string, { properties?: Record<string, unknown> }>;
    required: string[];
  };
  expect(required).toEqual(Object.keys(properties));
  expect(required).toEqual([
    'schema',
    'time',
    'durationMs',
    'mode',
    'verdict',
    'nat',
    'checks',
    'findings',
    'evidence',
    'changes',
  ]);
});
