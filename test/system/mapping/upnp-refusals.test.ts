import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTERS } from '../../fixtures/routers.ts';
import type { Step } from '../../support/fake-router/client-main.ts';
import { FakeHome, OPEN, type Router } from '../../support/fake-router/lab.ts';

/** Our driver against routers that misbehave; each test says what the person at home notices, or does not notice. */
let home: FakeHome;
beforeAll(async () => {
  home = await FakeHome.start();
  await home.addNeighbour();
});
afterAll(() => home[Symbol.asyncDispose]());

const play = (router: Router, ...steps: Step[]) => home.play(ROUTERS[router], ...steps);

describe('the outside address', () => {
  it.each(['lineDown', 'ownAddress'] satisfies Router[])('%s: is not taken for one', async (router) => {
    const [address, lease] = await play(router, 'external', { map: {} });
    expect(address).toBeNull();
    expect(lease).toMatchObject({ externalPort: 51_820 });
    expect(lease).not.toHaveProperty('externalAddress');
  });

  it('shared: is told as it is; whether it is public is for others to say', async () => {
    const [address] = await play('shared', 'external');
    expect(address).toBe('100.72.14.9');
  });

  it.each(['privateWan', 'bridged'] satisfies Router[])(
    '%s: the reason is the missing address, not the table',
    async (router) => {
      const [failed] = await play(router, { map: {} });
      expect(failed).toMatchObject({ refusal: 'no-address' });
      expect(failed?.error).toContain('it has no outside address of its own');
    },
  );
});

describe('a router that cannot be used', () => {
  it('television: a box that is not on the way is not asked, however loudly it answers', async () => {
    const [failed] = await play('television', { map: {} });
    expect(failed).toMatchObject({ refusal: 'silent' });
    expect(failed?.hint).toContain('UPnP');
    expect(await home.askedOfNeighbour()).toEqual([]);
  });

  it('quiet: the usual places are not tried again and again', async () => {
    const [failed, again, { asked } = {}] = await play('quiet', { map: {} }, { map: {} }, { tell: true });
    expect([failed?.refusal, again?.refusal]).toEqual(['unsupported', 'silent']);
    expect(asked).toEqual(['GET /rootDesc.xml']);
  });

  it('lure: nobody else is asked', async () => {
    const [failed] = await play('lure', { map: {} });
    expect(failed?.error).toContain('sends UPnP questions on to "http://192.168.50.66:5000/rootDesc.xml"');
    expect(await home.askedOfNeighbour()).toEqual([]);
  });

  it.each(['bomb', 'endless', 'loginPage'] satisfies Router[])('%s: ends, with a reason', async (router) => {
    const [failed] = await play(router, { map: {} });
    expect(failed?.error).toMatch(/^192\.168\.50\.1 /);
    expect(failed?.seconds).toBeLessThan(20);
  });

  it('hung: says so when it stops answering later, and does not wait for ever', async () => {
    const [lease, failed] = await play('hung', { map: {} }, 'check');
    expect(lease).toMatchObject(OPEN);
    expect(failed).toMatchObject({ refusal: 'silent' });
    expect(failed?.error).toContain('no answer within');
    expect(failed?.seconds).toBeLessThan(20);
  });

  it('a router that came back on another port is found again', async () => {
    const name = 'miniupnpd on any free port';
    const [, , again] = await home.play(
      { name },
      { map: {} },
      { play: { name, http: { port: 5001 } } },
      { map: {} },
    );
    expect(again).toMatchObject(OPEN);
  });
});
