import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { capture, type Captured, HOST, type Isolation, WEB } from './isolation-lab.ts';

/** What whoever changes another firewall of the home's machine looks at. */
export interface FirewallLooks {
  /** The page outside as the service with egress `tor` gets it; empty when it does not come. */
  hidden(): Promise<string>;
  /** The same for egress `direct`. */
  open(): Promise<string>;
  /** What the status says of other firewalls. */
  notices(): Promise<string[]>;
  /** Changes something while the way in is visited all the time, and services try what they may not. */
  meanwhile(change: () => Promise<unknown>): Promise<void>;
  /** What left the house under an address of the pool, while something was done. */
  strays(action: () => Promise<void>): Promise<unknown[]>;
}

const FORBIDDEN = [`tcp:${HOST}:8081`, 'udp:11.4.0.53:53'];

export function firewallLooks(world: Isolation, signal: AbortSignal): FirewallLooks {
  return {
    hidden: () => world.fetch('hidden', `http://${WEB}/`, '--max-time', '2'),
    open: () => world.fetch('open', `http://${WEB}/`, '--max-time', '2'),
    notices: async () =>
      (await world.gateway.status(signal)).notices.filter((notice) => notice.includes('firewall')),
    meanwhile: (change) => meanwhile(world, change),
    strays: (action) => strays(world, action),
  };
}

/**
 * As tor comes in: by the host's end of the hub's link. A connection is asked for once more after a second (RFC 6298), so a
 * visit that fails within two and a half means that nobody came in for longer than that.
 */
function wayIn(world: Isolation): Promise<string> {
  const patience = ['--http0.9', '--max-time', '2.5'];
  return world.fetch(
    undefined,
    `http://${world.addresses['open'] ?? ''}/`,
    ...patience,
    '--interface',
    '10.64.0.3',
  );
}

async function meanwhile(world: Isolation, change: () => Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const again = async (look: () => Promise<void>): Promise<void> => {
    do await look();
    while (!done.signal.aborted);
  };
  const visit = async (): Promise<void> => expect(await wayIn(world)).toBe('open');
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

async function strays({ addresses, home }: Isolation, action: () => Promise<void>): Promise<unknown[]> {
  const stop = await capture(home, 'lan');
  let seen: Captured;
  try {
    await action();
  } finally {
    seen = await stop();
  }
  const own = Object.values(addresses);
  return seen.packets.filter(({ source }) => own.includes(source));
}
