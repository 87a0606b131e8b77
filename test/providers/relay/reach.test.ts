import { expect, it } from 'vitest';
import { reach } from '../../../providers/relay/reach.ts';
import type { Context, Tri } from '../../../src/core/contract.ts';
import { GatewayError } from '../../../src/core/errors.ts';

/** Strangers on Tor say what they found; this machine could not look. */
async function visit(found: Tri, isBroken = false): Promise<{ reachable: Tri; noted: unknown[] }> {
  const noted: unknown[] = [];
  const ports = {
    now: () => 0,
    log: () => undefined,
    crypto: { random: (bytes: number) => new Uint8Array(bytes) },
    carrier: { visit: () => Promise.resolve({ outcome: 'failed', answer: new Uint8Array() }) },
    exits: { probeTls: () => Promise.resolve({ reachable: found, detail: 'as three strangers saw' }) },
    helper: {
      call: (operation: string, input: object) => {
        noted.push([operation, input]);
        const gone = new GatewayError('the helper is away', { code: 'EdgeUnavailable' });
        return isBroken ? Promise.reject(gone) : Promise.resolve({});
      },
    },
  };
  const context = { ports, signal: AbortSignal.timeout(5000) } as unknown as Context;
  const spec = {
    type: 'way',
    service: 'shop',
    relays: ['vps'],
    domain: 'pay.shop.test',
    mode: 'http',
  } as const;
  const carried = { running: true, granted: true, tunnel: 'up', address: '11.1.0.2', name: 'right' };
  const facts = { ...carried, certificate: 'valid', fingerprint: 'ab'.repeat(32), domain: 'pay.shop.test' };
  const exposure = { service: { name: 'shop' }, options: {} } as unknown as Parameters<typeof reach>[0];
  const { reachable } = await reach(exposure, [{ key: 'way:shop', spec, facts }], context);
  return { reachable, noted };
}

it('notes that a page was proved through a relay, so that browsers are told to come by https alone', async () => {
  const noted = [['edge.proved', { name: 'pay.shop.test' }]];
  expect(await visit('yes')).toEqual({ reachable: 'yes', noted });
  expect(await visit('no')).toEqual({ reachable: 'no', noted: [] });
  expect(await visit('unknown')).toEqual({ reachable: 'unknown', noted: [] });
  expect(await visit('yes', true)).toEqual({ reachable: 'yes', noted });
});
