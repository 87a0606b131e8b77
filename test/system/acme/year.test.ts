import { afterEach, beforeEach, expect, it } from 'vitest';
import { KeeperScene } from '../../support/keeper.ts';

const DAY = 86_400_000;
let scene: KeeperScene;
beforeEach(() => {
  scene = new KeeperScene();
});
afterEach(() => scene.close());

it.each([
  ['6 days', 6, undefined],
  ['45 days', 45, undefined],
  ['45 days, with windows of its authority', 45, 10],
])(
  'in a year of certificates that last %s none ever lapses, and each is ordered once',
  async (_name, days, windowDays) => {
    const server = await scene.authority({ lifetimeMs: days * DAY });
    if (windowDays !== undefined) {
      server.behaviour.window = (issuedAt) => ({
        start: issuedAt + (windowDays - 1) * DAY,
        end: issuedAt + windowDays * DAY,
      });
    }
    await scene.keep([scene.termsOf(server)]);
    let lapses = 0;
    for (let hours = 0; hours < 365 * 24; hours += 12) {
      // Every other week the authority is down for a day.
      const isDown = hours % (14 * 24) < 24 && hours > 0;
      server.behaviour.refuses = isDown
        ? { what: 'new-order', type: 'serverInternal', detail: 'down' }
        : undefined;
      await scene.pass(12, 12);
      if ((await scene.report()).state !== 'valid') lapses += 1;
    }
    expect(lapses).toBe(0);
    const renewals = 365 / (windowDays ?? (days < 10 ? days / 2 : (days * 2) / 3));
    expect(server.issuedAt.length).toBeGreaterThan(renewals * 0.8);
    expect(server.issuedAt.length).toBeLessThan(renewals * 1.2 + 2);
    expect(server.limited).toBe(0);
    if (windowDays !== undefined) expect(server.replaced.length).toBe(server.issuedAt.length - 1);
  },
  60_000,
);
