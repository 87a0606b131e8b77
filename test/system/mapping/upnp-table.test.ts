import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTERS } from '../../fixtures/routers.ts';
import type { Step } from '../../support/fake-router/client-main.ts';
import { FakeHome, HOME, OPEN, type Router } from '../../support/fake-router/lab.ts';

/** Our driver against routers that misbehave; each test says what the person at home notices, or does not notice. */
let home: FakeHome;
beforeAll(async () => {
  home = await FakeHome.start();
});
afterAll(() => home[Symbol.asyncDispose]());

const OPEN_HERE = { ...OPEN, internalAddress: HOME };
const play = (router: Router, ...steps: Step[]) => home.play(ROUTERS[router], ...steps);

describe('leases', () => {
  it.each(['permanentOnly', 'arris', 'silentLeases'] satisfies Router[])(
    '%s: open without a lease, and not asked for one again',
    async (router) => {
      const [lease, again, { asked, table } = {}] = await play(
        router,
        { map: {} },
        { map: {} },
        { tell: true },
      );
      expect(lease).toMatchObject({ ...OPEN_HERE, lifetimeSeconds: 0 });
      expect(again).toMatchObject({ ...OPEN_HERE, lifetimeSeconds: 0 });
      expect(table).toHaveLength(1);
      expect(asked?.filter((action) => action === 'AddPortMapping')).toHaveLength(3);
    },
  );

  it('unifi: what was to stay is known to end, so that it is renewed', async () => {
    const [lease] = await play('unifi', { map: {} });
    expect(lease?.lifetimeSeconds).toBe(604_800);
  });

  it('shortLeases: what was granted counts, and a renewal replaces nothing', async () => {
    const [lease, again, state] = await play('shortLeases', { map: {} }, { map: {} }, { tell: true });
    for (const { lifetimeSeconds = 0 } of [lease ?? {}, again ?? {}]) {
      expect(lifetimeSeconds).toBeGreaterThan(590);
      expect(lifetimeSeconds).toBeLessThanOrEqual(600);
    }
    expect(state?.asked?.filter((action) => action === 'DeletePortMapping')).toHaveLength(1);
  });

  it.each(['noExtension', 'noRepeats'] satisfies Router[])(
    '%s: a renewal gives the whole lease again',
    async (router) => {
      const [, checked, renewed, left] = await play(
        router,
        { map: {} },
        { pass: 1800 },
        { map: {} },
        'check',
      );
      expect(checked).toBeDefined();
      expect(renewed).toMatchObject(OPEN_HERE);
      expect(left).toMatchObject({ isThere: true, lifetimeSeconds: OPEN_HERE.lifetimeSeconds });
    },
  );

  it('a reboot that forgot is noticed: the mapping is gone, and the mark is another', async () => {
    const [lease, , checked] = await home.play(
      { name: 'miniupnpd without a lease file' },
      { map: {} },
      { reboot: 2, announce: false },
      'check',
      'forget',
      { map: {} },
    );
    expect(lease?.mark?.bootId).toBe('uuid:fake#1');
    expect(checked?.isThere).toBe(false);
  });

  it('ASUS-Merlin: rules that nothing used are reaped (miniupnp #197), which a check sees', async () => {
    const [, , checked, mapped, again] = await home.play(
      { name: 'ASUS-Merlin', bootId: 1 },
      { map: {} },
      { reboot: 1, announce: false },
      'check',
      { map: {} },
      'check',
    );
    expect(checked?.isThere).toBe(false);
    expect(mapped).toMatchObject(OPEN_HERE);
    expect(again?.isThere).toBe(true);
  });
});

describe('the table', () => {
  it('syncthing: our own leftovers make room, once', async () => {
    const [lease, { table } = {}] = await play('syncthing', { map: {} }, { tell: true });
    expect(lease).toMatchObject(OPEN_HERE);
    expect(table?.map((line) => line['externalPort'])).toEqual([51_820]);
  });

  it.each(['full', 'fullFailed'] satisfies Router[])(
    "%s: nobody else's mapping is touched, and the reason is said",
    async (router) => {
      const [failed, { table } = {}] = await play(router, { map: {} }, { tell: true });
      expect(failed?.error).toMatch(/table (of mappings )?is full/);
      expect(table).toHaveLength(3);
    },
  );

  it('oldAddress: our mapping follows us to the new address', async () => {
    const [lease, { table } = {}] = await play('oldAddress', { map: {} }, { tell: true });
    expect(lease).toMatchObject(OPEN_HERE);
    expect(table?.map((line) => line['client'])).toEqual([HOME]);
  });

  it("taken: another host's port stays its own, and the user reads whose", async () => {
    const [failed, { table } = {}] = await play('taken', { map: {} }, { tell: true });
    expect(failed).toMatchObject({ refusal: 'conflict' });
    expect(failed?.error).toContain('another host has this port');
    expect(table?.map((line) => line['description'])).toEqual(['games']);
  });

  it('takenVersion2: the port that the router chose instead is the one that counts', async () => {
    const [lease, checked] = await play('takenVersion2', { map: {} }, 'check');
    expect(lease).toMatchObject({ ...OPEN_HERE, externalPort: 51_821 });
    expect(checked?.isThere).toBe(true);
  });

  it('byHand: a forward that somebody entered serves us, and is never deleted', async () => {
    const [lease, gone, { table } = {}] = await play('byHand', { map: {} }, 'unmap', { tell: true });
    expect(lease).toMatchObject(OPEN_HERE);
    expect(gone).toBeNull();
    expect(table?.map((line) => line['description'])).toEqual(['my vpn']);
  });

  it('wrongClient: open for another host is not open', async () => {
    const [failed] = await play('wrongClient', { map: {} });
    expect(failed).toMatchObject({ refusal: 'conflict' });
    expect(failed?.error).toContain('it leads to 192.168.50.77 port 51820');
  });

  it('disables: listed as switched off is not open', async () => {
    const [failed] = await play('disables', { map: {} });
    expect(failed?.error).toContain('lists it as switched off');
    expect(failed?.hint).toContain('by hand');
  });

  it('rewrites: what we opened is removed, under whatever name it is listed', async () => {
    const [lease, , { table } = {}] = await play('rewrites', { map: {} }, 'unmap', { tell: true });
    expect(lease).toMatchObject({ externalPort: 51_820, lifetimeSeconds: 0 });
    expect(table).toEqual([]);
  });

  it('keepsOnce, keepsAlways: a deletion is believed when it is seen', async () => {
    const [, once, { table } = {}] = await play('keepsOnce', { map: {} }, 'unmap', { tell: true });
    expect([once, table]).toEqual([null, []]);
    const [, always] = await play('keepsAlways', { map: {} }, 'unmap');
    expect(always?.error).toContain('still lists the mapping of udp port 51820 after deleting it');
  });

  it('endlessTable: a list ends', async () => {
    const [table] = await play('endlessTable', 'list');
    expect(table).toHaveLength(2);
  });

  it('samePorts: the same port outside as inside', async () => {
    const [lease] = await play('samePorts', { map: { internalPort: 443, externalPort: 8443 } });
    expect(lease).toMatchObject({ externalPort: 443, internalPort: 443 });
  });

  it('secure: a port that is not for programs is refused, in words', async () => {
    const [failed] = await play('secure', { map: { internalPort: 443, externalPort: 443 } });
    expect(failed).toMatchObject({ refusal: 'not-authorized' });
    expect(failed?.error).toContain('it does not allow this');
  });
});
