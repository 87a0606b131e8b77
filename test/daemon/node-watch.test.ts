import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import type { Desired } from '../../src/core/desired.ts';
import type { Service } from '../../src/core/service.ts';
import { NodeWatch } from '../../src/daemon/node-watch.ts';
import { certificate } from '../support/lightning/certificate.ts';
import { FakeLnd } from '../support/lightning/node.ts';

const signal = AbortSignal.timeout(20_000);
let directory: string;
let lnd: FakeLnd;
let desired: Desired;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gw-watch-'));
  const tls = await certificate(directory, 'node', signal);
  lnd = new FakeLnd(tls);
  await new Promise<void>((resolve) => lnd.server.listen(0, '127.0.0.1', resolve));
  const { port } = lnd.server.address() as AddressInfo;
  const service: Service = {
    name: 'lnd',
    kind: 'lnd',
    privacy: 'open',
    port,
    place: { type: 'host' },
    // A locked one takes no macaroon: that there is none must not matter.
    node: { credential: join(directory, 'none'), certificate: tls.cert },
    address: '10.64.1.2',
    dial: { host: '127.0.0.1', port },
  };
  const { node: _none, ...unasked } = { ...service, name: 'other' };
  desired = { network: networkFor('gw', '10.64.0.0/20'), services: [service, unasked] } as unknown as Desired;
});
afterAll(async () => {
  lnd.server.close();
  await rm(directory, { recursive: true });
});

it('says that a node waits for its password, until it has it, and nothing of others', async () => {
  let now = 0;
  const watch = new NodeWatch({ desired: () => desired, now: () => (now += 60_000) });
  const look = async (): Promise<unknown> => {
    await watch.settle(signal);
    return Object.fromEntries(watch.found());
  };
  expect(await look()).toEqual({ lnd: { status: 'yes', message: 'its wallet is open' } });
  lnd.state = 'LOCKED';
  expect(await look()).toEqual({
    lnd: { status: 'no', message: 'lnd waits for the password of its wallet: lncli unlock' },
  });
  lnd.state = 'NON_EXISTING';
  expect(await look()).toMatchObject({ lnd: { status: 'no' } });
  lnd.state = 'WAITING_TO_START';
  expect(await look()).toMatchObject({ lnd: { status: 'unknown' } });
  lnd.server.closeAllConnections();
  await new Promise((resolve) => lnd.server.close(resolve));
  expect(await look()).toMatchObject({
    lnd: { status: 'unknown', message: expect.stringContaining('the node does not run') },
  });
  desired = { ...desired, services: [] };
  expect(await look()).toEqual({});
});
