import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PortsReport } from '../../src/core/mapper.ts';
import { NODE_INSIDE } from '../../src/lab/index.ts';
import { DOMAIN, PageLab } from '../support/page-lab.ts';

/**
 * The owner keeps the domain at a company that the gateway may ask nothing: one record is set by hand, once. And another
 * program has port 443 of the machine.
 */
const signal = AbortSignal.timeout(170_000);
const RECORD = `set this DNS record at whoever keeps the domain: name ${DOMAIN}, type A, value 11.2.0.2`;
let scene: PageLab;

beforeAll(async () => {
  scene = await PageLab.start(signal, {
    isZoneGiven: false,
    more: '  wiki: { port: 80, kind: http }\n  node: { port: 8332, kind: bitcoind }\n',
  });
  const other = [NODE_INSIDE, '/opt/gateway/dist/src/lab/page-main.js', '443', 'another program'] as const;
  await scene.lab.node('home').detach([...other], { logFile: join(scene.lab.directory, 'other.log') });
}, 90_000);
afterAll(() => scene?.lab.stop());

it('says the record to set, until it is seen; then the rest follows by itself', async () => {
  const exposing = scene.expose();
  const notices = async () => (await scene.owner.gateway.status(signal)).notices.join('\n');
  await expect.poll(notices, { timeout: 20_000 }).toContain(RECORD);
  expect((await scene.owner.type('status')).stdout).toContain(RECORD);
  await scene.setRecord('11.2.0.2');
  const { exitCode, stdout, stderr } = await exposing;
  expect([exitCode, stdout, stderr]).toEqual([0, expect.anything(), expect.anything()]);
  expect(await scene.open()).toContain('The corner shop');
  expect(await notices()).not.toContain(RECORD);
  // The router's 443 leads to another port of this machine, and the other program goes on.
  const { mappings } = await scene.owner.json<PortsReport>('ports');
  expect(mappings).toMatchObject([
    { port: 7443, externalPort: 443 },
    { port: 80, externalPort: 80 },
  ]);
  expect(await scene.owner.home('curl', '-sS', 'http://127.0.0.1:443/')).toContain('another program');
}, 150_000);

it('tells an old address from the right one', async () => {
  await scene.setRecord('11.7.7.7');
  await expect
    .poll(() => scene.condition('Published'), { timeout: 20_000 })
    .toBe(`no: ${DOMAIN} points to 11.7.7.7, but this home is at 11.2.0.2`);
  await scene.setRecord('11.2.0.2');
  await expect.poll(() => scene.condition('Published'), { timeout: 20_000 }).toMatch(/^yes: /);
}, 60_000);

it('refuses a second service at the same name, and what is for its owner alone', async () => {
  const taken = await scene.expose('wiki');
  expect(taken).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('DomainTaken') });
  expect(taken.stdout).toContain(`wiki cannot answer at ${DOMAIN}: that name belongs to shop`);
  const node = await scene.expose('node', 'node.shop.test');
  expect(node).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('KindNotSupported') });
  expect(await scene.open()).toContain('The corner shop');
  await scene.demand('unexpose', '--all', '--now');
  expect(await scene.open()).not.toContain('The corner shop');
}, 60_000);
