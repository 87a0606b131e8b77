import { afterAll, beforeAll, expect, it } from 'vitest';
import { EXITS_NETWORK } from '../support/exits-lab.ts';
import { PageLab } from '../support/page-lab.ts';

/** Nobody rents a machine for it: exits of the Tor network look whether the page is open to strangers. */
const signal = AbortSignal.timeout(400_000);
let scene: PageLab;

beforeAll(async () => {
  scene = await PageLab.start(signal, {
    isRelayJoined: false,
    shop: 'port: 80, kind: http, expose: { tor: {} }',
    world: EXITS_NETWORK,
  });
}, 90_000);
afterAll(() => scene?.lab.stop());

it('is proved by two exits that were shown our certificate', async () => {
  const { exitCode, stdout, stderr } = await scene.expose();
  expect([exitCode, stdout, stderr]).toEqual([0, expect.anything(), expect.anything()]);
  expect(stdout).toMatch(/is open: pay\.shop\.test showed our certificate, carried by [23] Tor exits\./);
  expect(await scene.way()).toMatchObject({ reachable: 'yes', vantage: 'tor' });
}, 120_000);

it('says no when the router lets nobody in, and which port to forward', async () => {
  const drop =
    'table inet shut { chain forward { type filter hook forward priority -5; iifname "uplink" tcp dport 443 reject with tcp reset; }; }';
  await scene.lab.node('router').run(['nft', '-f', '-'], { signal, input: drop });
  // Any change of the world has every way visited again at once.
  await scene.demand('service', 'add', 'other', '--port', '81', '--no-tor');
  await expect
    .poll(() => scene.condition('Reachable'), { timeout: 150_000, interval: 1000 })
    .toMatch(/^no: at pay\.shop\.test .* Tor exits .*: forward TCP 443 in the router to this machine/);
}, 170_000);
