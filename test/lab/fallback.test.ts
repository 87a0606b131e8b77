import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FallbackStatus, Status } from '../../src/core/status.ts';
import { isUp } from '../support/owner.ts';
import { PageLab, TOR_NETWORK } from '../support/page-lab.ts';

/** The page at a public name goes dark: its onion, warm all along, is what people are told. The way back takes half a minute: test/soak. */
const signal = AbortSignal.timeout(200_000);
const SHUT =
  'table inet shut { chain forward { type filter hook forward priority -5; iifname "uplink" tcp dport 443 drop; }; }';
let scene: PageLab;

beforeAll(async () => {
  scene = await PageLab.start(signal, {
    shop: 'port: 80, kind: http, expose: { tor: {} }',
    world: TOR_NETWORK,
  });
  await scene.expose();
  await scene.owner.until('the page is open', isUp('shop', 'clearnet'));
  await scene.owner.until('the onion is open', isUp('shop', 'tor'));
}, 90_000);
afterAll(() => scene?.lab.stop());

const fallbackOf = ({ services }: Status): FallbackStatus | null | undefined => services[0]?.fallback;
const until = async (what: string, isDone: (fallback: FallbackStatus) => boolean) => {
  const isSo = (status: Status): boolean => {
    const fallback = fallbackOf(status);
    return fallback != null && isDone(fallback);
  };
  return fallbackOf(await scene.owner.until(what, isSo, 60_000));
};
const nft = (input: string) => scene.lab.node('router').run(['nft', '-f', '-'], { signal, input });

it('has the page in use, and its onion ready', async () => {
  const status = await scene.owner.gateway.status(signal);
  expect(fallbackOf(status)).toMatchObject({
    order: ['clearnet', 'tor'],
    way: 'clearnet',
    isFallback: false,
    advertised: ['clearnet'],
  });
  const { stdout, stderr } = await scene.owner.type('qr', 'shop');
  expect(stdout).toContain('https://pay.shop.test');
  expect(stdout + stderr).not.toContain('.onion');
});

it('tells the onion instead when nobody gets in any more, and why', async () => {
  await nft(SHUT);
  const fallback = await until('the onion takes over', ({ isFallback }) => isFallback);
  expect(fallback).toMatchObject({ way: 'tor', advertised: ['tor'] });
  expect(fallback?.why).toContain('TCP 11.2.0.2:443 does not answer, says the relay vps');
  const { stdout, stderr } = await scene.owner.type('qr', 'shop');
  expect(stdout).toMatch(/http:\/\/[a-z2-7]{56}\.onion/);
  expect(stderr).toContain('! tor took over, until clearnet works again: clearnet: TCP 11.2.0.2:443');
  expect((await scene.owner.type('status')).stdout).toMatch(/shop +fallback +tor /);
  const events = (await scene.owner.type('events', '--since', '5m')).stdout;
  expect(events).toMatch(/fallback\.engaged +shop: tor takes over from clearnet; clearnet: TCP/);
}, 70_000);
