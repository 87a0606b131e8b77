import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { MappingReport } from '../../../src/core/mapper.ts';
import type { Lease, MappingDriver, MappingRequest } from '../../../src/core/mapping.ts';
import { Chain } from '../../../src/system/mapping/chain.ts';
import type { HomeNetwork } from '../../../src/system/mapping/home-network.ts';

/** Whom a chain asks, for what, and when nobody; real routers are in test/lab/mapping-through.test.ts. */
const SPEC = { transport: 'tcp', port: 8443, externalPort: 443 } as const;
const NEAR: MappingReport = {
  transport: 'tcp',
  port: 8443,
  state: 'held',
  protocol: 'upnp',
  router: '192.168.50.1',
  externalAddress: '192.168.1.50',
  externalPort: 30_443,
  renewedAt: null,
  expiresAt: null,
  problem: null,
  hint: null,
};
const THROUGH = {
  first: '192.168.50.1',
  hops: [{ router: '192.168.1.1' }, { router: '10.0.0.1', asker: '10.0.0.7' }],
};
const signal = AbortSignal.timeout(20_000);

let directory: string;
let network: HomeNetwork | undefined;
let asked: { router: string; request: MappingRequest }[];
let unmapped: Lease[];
let kept: { spec: typeof SPEC; report: MappingReport }[];
let chain: Chain;

function driver(router: string): MappingDriver {
  return {
    protocol: 'pcp',
    router,
    map: async (request) => {
      asked.push({ router, request });
      return {
        ...request,
        protocol: 'pcp',
        router,
        externalAddress: '11.2.0.2',
        lifetimeSeconds: 600,
        mark: {},
      };
    },
    unmap: async (lease) => void unmapped.push(lease),
    check: async () => ({ mark: {} }),
    list: async () => undefined,
    externalAddress: async () => undefined,
  };
}

function makeChain(): Chain {
  return new Chain({
    now: Date.now,
    random: () => 0.5,
    record: () => undefined,
    log: () => undefined,
    changed: () => undefined,
    stem: join(directory, 'mappings'),
    network: async () => network,
    drivers: ({ router }) => [driver(router)],
    near: { kept: async () => kept },
  });
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chain-'));
  network = { router: '192.168.50.1', address: '192.168.50.10' };
  kept = [{ spec: SPEC, report: NEAR }];
  asked = [];
  unmapped = [];
  chain = makeChain();
});
afterEach(async () => {
  await chain.stop();
  await rm(directory, { recursive: true });
});

it('asks nobody without the yes of the owner', async () => {
  await chain.sync(signal);
  expect(asked).toEqual([]);
});

it('has each router lead to the outer address of the one before it, and to its port', async () => {
  await chain.open(THROUGH, signal);
  const leads = asked.map(({ router, request }) => {
    const { internalAddress, internalPort, externalPort } = request;
    return `${router}: ${externalPort} to ${internalAddress}:${internalPort}`;
  });
  expect(leads).toEqual(['192.168.1.1: 443 to 192.168.1.50:30443', '10.0.0.1: 443 to 10.0.0.7:443']);
  expect((await chain.reports(NEAR)).map(({ router }) => router)).toEqual(['192.168.1.1', '10.0.0.1']);
});

it('carries on with the same yes and the same leases after a restart', async () => {
  await chain.open(THROUGH, signal);
  await chain.stop();
  chain = makeChain();
  expect(await chain.through()).toEqual(THROUGH);
  expect(await chain.reports(NEAR)).toMatchObject([{ state: 'held' }, { state: 'held' }]);
  expect(asked).toHaveLength(2);
});

it('asks nobody behind another router, where the same addresses are other people’s', async () => {
  await chain.open(THROUGH, signal);
  network = { router: '192.168.7.1', address: '192.168.7.2' };
  kept = [{ spec: SPEC, report: { ...NEAR, router: '192.168.7.1', externalPort: 31_443 } }];
  await chain.sync(signal);
  expect(asked).toHaveLength(2);
  expect(await chain.reports({ ...NEAR, router: '192.168.7.1' })).toEqual([]);
});

it('closes the outermost first, and forgets the yes', async () => {
  await chain.open(THROUGH, signal);
  await chain.close(signal);
  expect(unmapped.map(({ router }) => router)).toEqual(['10.0.0.1', '192.168.1.1']);
  expect(await chain.through()).toBeUndefined();
  await chain.sync(signal);
  expect(asked).toHaveLength(2);
});

it('closes what the first router does not have any more, and keeps what it lost for a moment', async () => {
  await chain.open(THROUGH, signal);
  kept = [{ spec: SPEC, report: { ...NEAR, state: 'asking', externalPort: null } }];
  await chain.sync(signal);
  expect(unmapped).toEqual([]);
  kept = [];
  await chain.sync(signal);
  expect(unmapped).toHaveLength(2);
});
