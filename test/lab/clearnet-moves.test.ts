import { afterAll, beforeAll, expect, it } from 'vitest';
import { PageLab } from '../support/page-lab.ts';

/** What a home's line does to a page: the address changes, the router forgets. Nobody touches anything. */
const signal = AbortSignal.timeout(230_000);
let scene: PageLab;

beforeAll(async () => {
  scene = await PageLab.start(signal);
  await scene.demand('expose', 'shop', '--via', 'clearnet', '--domain', 'pay.shop.test');
}, 120_000);
afterAll(() => scene?.lab.stop());

it('follows the home to another address', async () => {
  await scene.on('router', 'ip', 'address', 'del', '11.2.0.2/24', 'dev', 'uplink');
  await scene.on('router', 'ip', 'address', 'add', '11.2.0.9/24', 'dev', 'uplink');
  await scene.on('router', 'ip', 'route', 'replace', 'default', 'via', '11.2.0.1');
  await expect.poll(() => scene.lookup(), { timeout: 80_000 }).toBe('11.2.0.9');
  await scene.opens();
}, 120_000);

it('is back after the router restarted, forgot its ports and has its first address again', async () => {
  await scene.lab.node('router').cut();
  await scene.lab.boot('router', signal);
  await expect.poll(() => scene.lookup(), { timeout: 80_000 }).toBe('11.2.0.2');
  await scene.opens();
}, 120_000);
