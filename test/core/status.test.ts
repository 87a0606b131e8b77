import { expect, it } from 'vitest';
import { phaseOf, phaseOfService, type Condition, type Phase } from '../../src/core/status.ts';

const condition = (type: Condition['type'], status: Condition['status']): Condition => ({
  type,
  status,
  reason: 'Because',
  message: '',
  since: '2026-01-01T00:00:00.000Z',
});

it.each<[Condition['status'], Condition['status'], Condition['status'], Phase]>([
  ['no', 'unknown', 'unknown', 'rejected'],
  ['yes', 'no', 'yes', 'down'],
  ['yes', 'unknown', 'unknown', 'pending'],
  ['yes', 'yes', 'yes', 'up'],
  ['yes', 'yes', 'no', 'down'],
  ['yes', 'yes', 'unknown', 'pending'],
])('accepted %s, programmed %s, reachable %s is %s', (accepted, programmed, reachable, phase) => {
  const conditions = [
    condition('Accepted', accepted),
    condition('Programmed', programmed),
    condition('Reachable', reachable),
  ];
  expect(phaseOf(conditions)).toBe(phase);
});

it.each<[Phase[], Phase]>([
  [['up', 'up'], 'up'],
  [['up', 'pending'], 'up'],
  [['up', 'down'], 'degraded'],
  [['up', 'rejected'], 'degraded'],
  [['pending', 'down'], 'pending'],
  [['down', 'rejected'], 'down'],
  [['rejected'], 'rejected'],
  [[], 'pending'],
])('a service whose ways are %j is %s', (phases, expected) => {
  expect(phaseOfService(phases.map((phase) => ({ phase })))).toBe(expected);
});
