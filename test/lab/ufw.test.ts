import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  capture,
  type Captured,
  EXIT,
  HOST,
  ROUTER,
  startIsolation,
  WEB,
  type Isolation,
} from '../support/isolation-lab.ts';
import { hasUfw, installUfw } from '../support/ufw.ts';

/** Debian's own ufw on the home's machine: enabled, loaded anew and switched off beside a gateway that runs. */
let world: Isolation;
let ufw: ReturnType<typeof installUfw>;
const signal = AbortSignal.timeout(280_000);

const out = {
  hidden: (): Promise<string> => world.fetch('hidden', `http://${WEB}/`, '--max-time', '2'),
  open: (): Promise<string> => world.fetch('open', `http://${WEB}/`, '--max-time', '2'),
};
/**
 * As tor comes in: by the host's end of the hub's link. A connection is asked for once more after a second (RFC 6298), so a
 * visit that fails within two and a half means that nobody came in for longer than that.
 */
const wayIn = (): Promise<string> =>
  world.fetch(
    undefined,
    `http://${world.addresses['open'] ?? ''}/`,
    '--http0.9',
    '--max-time',
    '2.5',
    '--interface',
    '10.64.0.3',
  );
const notices = async (): Promise<string[]> =>
  (await world.gateway.status(signal)).notices.filter((notice) => notice.includes('firewall'));

const FORBIDDEN = [`tcp:${HOST}:8081`, 'udp:11.4.0.53:53'];

/** Changes something while the way in is visited all the time, and services try what they may not. */
async function meanwhile(change: () => Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const again = async (look: () => Promise<void>): Promise<void> => {
    do await look();
    while (!done.signal.aborted);
  };
  const visit = async (): Promise<void> => expect(await wayIn()).toBe('open');
  const looks = [
    ...[1, 2, 3].map(() => again(visit)),
    ...['mute', 'hidden'].map((service) =>
      again(async () => expect(await world.scan(service, FORBIDDEN)).toEqual([])),
    ),
  ];
  const changed = sleep(300)
    .then(change)
    .finally(() => done.abort());
  await Promise.all([changed, ...looks]);
  await visit();
}

/** What left the house under an address of the pool, while something was done. */
async function strays(action: () => Promise<void>): Promise<unknown[]> {
  const stop = await capture(world.home, 'lan');
  let seen: Captured;
  try {
    await action();
  } finally {
    seen = await stop();
  }
  const own = Object.values(world.addresses);
  return seen.packets.filter(({ source }) => own.includes(source));
}

describe.skipIf(!hasUfw)('ufw (needs it, iptables and python3: bin/setup fetches the first)', () => {
  beforeAll(async () => {
    world = await startIsolation(signal);
    ufw = installUfw(world.home, signal);
  }, 60_000);
  afterAll(() => world?.lab.stop());

  it('is enabled: ways in stay open, and what it drops is named with the lines that let it through', async () => {
    await expect.poll(out.hidden, { timeout: 30_000 }).toContain(EXIT);
    expect(await out.open()).toContain(ROUTER);
    const enable = async (): Promise<void> => {
      await meanwhile(() => ufw('--force', 'enable'));
      expect(await ufw('status', 'verbose')).toContain('deny (incoming)');
      expect(await Promise.all([out.hidden(), out.open()])).toEqual(['', '']);
      const said = (await notices()).join();
      const lines = (said.split(': ').at(-1) ?? '').split('; ').sort();
      expect(lines).toEqual(['ufw allow in on gwhost', 'ufw route allow in on gwout']);
      for (const line of lines) await ufw(...line.split(' ').slice(1));
      expect(await out.hidden()).toContain(EXIT);
      expect(await out.open()).toContain(ROUTER);
      expect(await notices()).toEqual([]);
    };
    expect(await strays(enable)).toEqual([]);
  }, 60_000);

  it('is loaded anew, emptied and switched off: nothing opens, nothing of ours is gone for longer than a second', async () => {
    const change = async (): Promise<void> => {
      await meanwhile(async () => {
        await ufw('reload');
        await ufw('--force', 'reset');
        await ufw('--force', 'enable');
        await ufw('disable');
      });
      await expect.poll(out.hidden, { timeout: 10_000 }).toContain(EXIT);
      expect(await out.open()).toContain(ROUTER);
    };
    expect(await strays(change)).toEqual([]);
  }, 60_000);
});
