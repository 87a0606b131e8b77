import { afterEach, expect, it } from 'vitest';
import { cliGateway } from '../support/cli-gateway.ts';

/** Whom the owner is asked about, and what the gateway is told; the routers are in test/lab/mapping-through-owner.test.ts. */
const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function gateway() {
  const made = await cliGateway({});
  open.push(made.close);
  return made;
}

const OPEN = ['ports', 'open', '--through'];

it('tells the gateway which routers may be asked, and behind which one', async () => {
  const { run, calls } = await gateway();
  const done = await run(...OPEN, '--hop', '192.168.0.1', '--hop', '10.0.0.1', '--yes');
  expect(done.exitCode).toBe(0);
  const hops = [{ router: '192.168.0.1' }, { router: '10.0.0.1' }];
  expect(calls).toEqual([['openThrough', { first: '192.168.1.1', hops }]]);
  expect((await run('ports', 'close', '--through')).exitCode).toBe(0);
  expect(calls.at(-1)).toEqual(['closeThrough']);
});

it('stops before the first box that is the provider’s, unless it is told otherwise', async () => {
  const { run, calls } = await gateway();
  const refused = await run(...OPEN, '--hop', '100.64.0.1', '--yes');
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('100.64.0.1, is probably') });
  await run(...OPEN, '--hop', '192.168.0.1', '--hop', '100.64.0.1', '--hop', '10.0.0.1', '--yes');
  expect(calls).toEqual([['openThrough', { first: '192.168.1.1', hops: [{ router: '192.168.0.1' }] }]]);
  await run(...OPEN, '--hop', '100.64.0.1', '--provider', '--yes');
  expect(calls.at(-1)).toEqual(['openThrough', { first: '192.168.1.1', hops: [{ router: '100.64.0.1' }] }]);
});

it('asks nobody without a yes, nor a host on the internet, nor for nothing', async () => {
  const { run, calls } = await gateway();
  const silent = await run(...OPEN, '--hop', '192.168.0.1');
  expect(silent).toMatchObject({ exitCode: 64, stderr: expect.stringContaining('192.168.0.1') });
  for (const hop of ['8.8.8.8', 'router']) {
    const wrong = await run(...OPEN, '--provider', '--hop', hop, '--yes');
    expect(wrong).toMatchObject({ exitCode: 64, stderr: expect.stringContaining('--hop is not') });
  }
  expect((await run('ports', 'open')).exitCode).toBe(64);
  expect((await run('ports', 'close')).exitCode).toBe(64);
  expect(calls).toEqual([]);
});
