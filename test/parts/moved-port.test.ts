import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Context, Resource, Want } from '../../src/core/contract.ts';
import { plan } from '../../src/core/plan.ts';
import { edgePart } from '../../src/parts/edge/index.ts';
import { portsPart } from '../../src/parts/ports/index.ts';
import { memoryMapper } from '../support/memory-mapper.ts';
import { until } from '../support/machine.ts';
import { serve } from '../support/traffic.ts';
import { startWebLab, type WebLab } from '../support/web-lab.ts';

/** Another program has port 443 of this machine: the edge takes visitors at another, to which the router's 443 leads. */
let lab: WebLab;
let context: Context;
const SITE = {
  service: 'shop',
  domain: 'pay.shop.test',
  mode: 'http',
  access: 'anyone',
  to: { host: '10.64.1.2', port: 8080 },
} as const;
const WANTS: Want[] = [{ part: 'ports', transport: 'tcp', port: 443, externalPort: 443, service: 'shop' }];

beforeAll(async () => {
  lab = await startWebLab();
  await lab.addService('shop', SITE.to.host, SITE.to.port);
  // The parts use nothing of the ports but these two.
  const ports = { helper: lab.gateway.helper, mapper: memoryMapper() } as unknown as Context['ports'];
  context = { signal: AbortSignal.timeout(60_000), network: lab.gateway.network, ports };
});
afterAll(async () => {
  await lab.stop();
});

/** One pass of the part `ports`; resolves with why anything was changed. */
async function pass(): Promise<string[]> {
  const settings = { network: context.network, services: [], exposures: [], devices: [], ledger: {} };
  const wanted: readonly Resource[] = portsPart.compile({
    ...settings,
    wants: WANTS,
    settings: {},
  }).resources;
  const changes = plan(wanted, await portsPart.observe(context), portsPart.kinds);
  for (const change of changes) await portsPart.apply(change as never, context);
  expect(plan(wanted, await portsPart.observe(context), portsPart.kinds)).toEqual([]);
  return changes.map(({ why }) => why);
}

const mapped = async (): Promise<number[]> =>
  (await context.ports.mapper.kept()).map(({ spec }) => spec.port);

it('follows the edge to another port, and back', async () => {
  await lab.up([SITE]);
  expect(await pass()).toHaveLength(1);
  expect(await mapped()).toEqual([443]);

  await lab.gateway.helper.call('edge.stop', {}, context.signal);
  await serve(lab.machine, undefined, 'rival', 443);
  await lab.up([SITE]);
  const [seen] = await edgePart.observe(context);
  expect(seen).toMatchObject({
    facts: {
      https: 7443,
      http: 80,
      taken: expect.stringMatching(/^port 443 is taken .*\(process \d+\)/),
      notice: expect.stringMatching(/taken at 7443 \(https\) and 80 \(http\) instead/),
    },
  });
  expect(seen?.renew).toBeUndefined();
  expect(await pass()).toEqual(['its visitors arrive at port 7443 of this machine']);
  expect(await mapped()).toEqual([7443]);
  expect((await portsPart.observe(context))[0]).toMatchObject({
    key: 'mapping:tcp/443',
    facts: { localPort: 7443 },
  });

  await lab.machine.sh('pkill', '-f', 'rival 443');
  const freed = await until(async () => (await edgePart.observe(context))[0]?.renew);
  expect(freed).toBe('port 443 is free again');
  await lab.up([SITE]);
  expect((await edgePart.observe(context))[0]).toMatchObject({ facts: { https: 443 } });
  await pass();
  expect(await mapped()).toEqual([443]);
});
