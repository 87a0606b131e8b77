import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROUTERS } from '../../fixtures/routers.ts';
import { FakeHome, HOME_V6 } from '../../support/fake-router/lab.ts';

/** Opening a router's IPv6 firewall; test/lab/upnp-pinhole.test.ts does it with a real one. */
let home: FakeHome;
beforeAll(async () => {
  home = await FakeHome.start();
  await home.addIpv6();
});
afterAll(() => home[Symbol.asyncDispose]());

it('firewallOff: there is nothing to open, and that is said', async () => {
  const [failed] = await home.playIpv6(ROUTERS.firewallOff, { map: {} });
  expect(failed).toMatchObject({ refusal: 'unsupported' });
  expect(failed?.error).toContain('has its IPv6 firewall switched off');
});

it('pinholesOff: its owner must allow it, and reads where', async () => {
  const [failed] = await home.playIpv6(ROUTERS.pinholesOff, { map: {} });
  expect(failed).toMatchObject({ refusal: 'not-authorized' });
  expect(failed?.hint).toContain('by hand');
});

it('noPinholes: says so', async () => {
  const [failed] = await home.playIpv6(ROUTERS.noPinholes, { map: {} });
  expect(failed).toMatchObject({ refusal: 'unsupported' });
});

it('forgetsPinholes: noticed, opened again, and the new one is closed', async () => {
  const steps = [{ map: {} }, 'check', { map: {} }, 'check', 'unmap', { tell: true }] as const;
  const [lease, gone, again, there, closed, state] = await home.playIpv6(ROUTERS.forgetsPinholes, ...steps);
  expect(lease).toMatchObject({ externalAddress: HOME_V6, externalPort: 51_820, lifetimeSeconds: 3600 });
  expect(gone?.isThere).toBe(false);
  expect(again).toEqual(lease);
  expect(there?.isThere).toBe(true);
  expect(closed).toBeNull();
  const changes = state?.asked?.filter((action) => /^(Add|Update|Delete)/.test(action));
  expect(changes).toEqual(['AddPinhole', 'UpdatePinhole', 'AddPinhole', 'DeletePinhole']);
});

it('a pinhole to an address that nobody outside can reach is not asked for', async () => {
  const [failed] = await home.playIpv6(ROUTERS.forgetsPinholes, { map: { internalAddress: 'fe80::1' } });
  expect(failed).toMatchObject({ refusal: 'no-address' });
});
