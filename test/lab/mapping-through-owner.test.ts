import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Report } from '../../src/doctor/types.ts';
import { startMappingHome, type MappingHome } from '../support/mapping-lab.ts';
import { nestedRouters, OUTSIDE } from '../support/nested-routers.ts';

/** A home behind two routers, and its owner at the keyboard. */
const signal = AbortSignal.timeout(120_000);
let home: MappingHome;

beforeAll(async () => {
  const topology = nestedRouters([['upnp'], ['nat-pmp', 'upnp']]);
  home = await startMappingHome([], signal, () => Promise.resolve(), topology);
}, 60_000);
afterAll(() => home?.lab.stop());

const rules = async (router: string): Promise<string> =>
  (await home.lab.node(router).run(['nft', 'list', 'table', 'inet', 'upnp'], { signal })).stdout;

it('asks nobody farther out before the owner said yes, and says whom it would ask', async () => {
  const said = await home.owner.type('ports', 'open', '--through');
  expect(said).toMatchObject({ exitCode: 64, stdout: '' });
  expect(said.stderr).toMatch(/Behind your router 192\.168\.50\.1 .*\n {2}192\.168\.49\.1\n/);
  expect(said.stderr).toContain('nobody is there to say yes');
  expect(await rules('router1')).not.toContain('dnat');
}, 30_000);

it('opens the port in both with the yes, and the phone outside gets in', async () => {
  const said = await home.owner.type('ports', 'open', '--through', '--yes');
  expect(said, said.stderr).toMatchObject({ exitCode: 0 });
  expect(said.stdout).toMatch(/UDP 51820 +held +11\.2\.0\.2:51820 +192\.168\.50\.1 +UPnP/);
  expect(said.stdout).toMatch(/through +held +11\.2\.0\.2:51820 +192\.168\.49\.1 +NAT-PMP/);
  expect(await home.enrol()).toContain(`\nEndpoint = ${OUTSIDE}:51820\n`);
  expect(await home.phone.open(home.url, signal)).toContain('The corner shop');
}, 40_000);

it('is done by the doctor only when it is told to, which says what it did and undoes it', async () => {
  await home.owner.type('ports', 'close', '--through');
  const look = (...more: string[]) => home.owner.json<Report>('doctor', 'nat', '--offline', ...more);
  const seen = await look();
  expect(seen.findings).toMatchObject([{ code: 'NAT_DOUBLE' }]);
  expect(seen.changes).toEqual([]);
  expect(await rules('router1')).not.toContain('51820');
  const { changes } = await look('--fix', '--lang', 'en');
  expect(changes).toEqual([
    `192.168.49.1 opened UDP 51820, at ${OUTSIDE}:51820 outside; gateway doctor --undo closes it`,
  ]);
  expect(await rules('router1')).toContain('51820');
  expect((await home.owner.type('doctor', '--undo')).exitCode).toBe(0);
  expect(await rules('router1')).not.toContain('51820');
  await home.owner.type('ports', 'open', '--through', '--yes');
}, 60_000);

it('is undone by the command, asked for again by it, and by down as well', async () => {
  expect(await rules('router1')).toContain('51820');
  expect((await home.owner.type('ports', 'close', '--through')).exitCode).toBe(0);
  expect(await rules('router1')).not.toContain('51820');
  expect(await rules('router0')).toContain('51820');
  await home.owner.type('ports', 'open', '--through', '--hop', '192.168.49.1', '--yes');
  expect(await rules('router1')).toContain('51820');
  expect((await home.owner.type('down')).exitCode).toBe(0);
  expect(await rules('router1')).not.toContain('51820');
  expect(await rules('router0')).not.toContain('51820');
}, 60_000);
