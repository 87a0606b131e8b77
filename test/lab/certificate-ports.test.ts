import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CertificateReport } from '../../src/core/certificate.ts';
import { DOMAIN, PageLab } from '../support/page-lab.ts';

/** Nobody gave the gateway the zone: the name is proved by its ports, answered by HAProxy, through the router. */
const signal = AbortSignal.timeout(230_000);
let scene: PageLab;

beforeAll(async () => {
  scene = await PageLab.start(signal, { isZoneGiven: false });
}, 90_000);
afterAll(() => scene?.lab.stop());

async function certificate(): Promise<CertificateReport | undefined> {
  return (await scene.owner.json<CertificateReport[]>('certificates'))[0];
}

async function ordersPlaced(): Promise<number> {
  const { stdout } = await scene.on('authority', 'cat', `${scene.lab.node('authority').directory}/acme/log`);
  return stdout.split('POST /order-plz').length - 1;
}

it('no order is spent on a name without an address, and the owner is told which record is missing', async () => {
  const exposing = scene.expose();
  const problem = async () => (await certificate())?.problem?.message ?? '';
  await expect.poll(problem, { timeout: 30_000 }).toContain(`${DOMAIN} has no address in DNS`);
  const { exitCode, stdout } = await scene.owner.type('certificates');
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(new RegExp(`${DOMAIN} +failing`));
  expect(stdout).toContain(`set the A record of ${DOMAIN} to 11.2.0.2`);
  expect(await ordersPlaced()).toBe(0);
  await scene.setRecord('11.2.0.2');
  await expect.poll(async () => (await certificate())?.state, { timeout: 40_000 }).toBe('valid');
  expect((await exposing).stdout).toContain(DOMAIN);
}, 120_000);

it('it is proved by port 80, and the page is trusted', async () => {
  await scene.opens();
  expect(await certificate()).toMatchObject({ state: 'valid', challenge: 'http-01', problem: null });
  const { exitCode, stdout } = await scene.owner.type('certificates');
  expect([exitCode, stdout]).toEqual([0, expect.stringMatching(new RegExp(`${DOMAIN} +valid +Pebble`))]);
}, 60_000);

it('it is proved by port 443 where port 80 is closed on the way, while visitors go on', async () => {
  const closed =
    'add table ip closed; add chain ip closed way { type filter hook prerouting priority -300; };';
  const rule = 'add rule ip closed way iifname "uplink" tcp dport 80 reject with tcp reset';
  await scene.lab.node('router').run(['nft', `${closed} ${rule}`], { signal });
  const before = (await certificate())?.fingerprint;
  expect(await scene.demand('certificates', 'renew', DOMAIN)).toContain('is ordered');
  await expect
    .poll(async () => (await certificate())?.problem?.message, { timeout: 20_000 })
    .toContain('http-01');
  // The owner does not wait for the minute after which it is tried again.
  await scene.demand('certificates', 'renew', DOMAIN);
  const isRenewed = async (): Promise<boolean> => {
    expect(await scene.open()).toContain('The corner shop');
    const { fingerprint, challenge } = (await certificate()) ?? {};
    return fingerprint !== before && challenge === 'tls-alpn-01';
  };
  await expect.poll(isRenewed, { timeout: 30_000, interval: 500 }).toBe(true);
}, 120_000);

it('an address without a name has a page too, proved by its reverse name on port 443', async () => {
  const exposing = scene.expose('shop', '11.2.0.2');
  const mine = async () => (await certificate())?.problem?.message ?? '';
  await expect.poll(mine, { timeout: 30_000 }).toContain('could not see that 11.2.0.2 is ours (http-01)');
  await scene.demand('certificates', 'renew', '11.2.0.2');
  const page = () => scene.open('https://11.2.0.2/');
  await expect.poll(page, { timeout: 30_000, interval: 500 }).toContain('The corner shop');
  expect(await certificate()).toMatchObject({ names: ['11.2.0.2'], challenge: 'tls-alpn-01', problem: null });
  await exposing;
}, 100_000);
