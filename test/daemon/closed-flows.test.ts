import { expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import type { Desired } from '../../src/core/desired.ts';
import type { Flow } from '../../src/core/operations.ts';
import { closedFlows } from '../../src/daemon/closed-flows.ts';

const flow = (source: string, address: string): Flow => ({
  via: 'host',
  source,
  address,
  protocol: 'tcp',
  port: 80,
});
const TOR = flow('10.64.0.3', '10.64.1.2');
const PHONE = flow('10.64.8.2', '10.64.1.2');

function desired(...flows: Flow[]): Desired {
  const resources = [{ key: 'flows:hub' as const, spec: { type: 'flows', flows }, neededBy: ['shop'] }];
  return {
    network: networkFor('gw', '10.64.0.0/20'),
    services: [],
    orders: new Map(),
    exposures: [],
    resources: new Map([['namespaces', resources]]),
    problems: [],
    stun: [],
    relays: [],
    ledger: {},
  };
}

it('names what one change closed, and not the ways that stay', () => {
  expect(closedFlows(desired(TOR, PHONE), desired(TOR))).toEqual([PHONE]);
  expect(closedFlows(desired(TOR), desired(TOR, PHONE))).toEqual([]);
  expect(closedFlows(desired(TOR, PHONE), desired())).toEqual([TOR, PHONE]);
});
